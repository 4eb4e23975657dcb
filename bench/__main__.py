"""`python -m bench`: measure every line of the budgets, print one table, keep the results.

make bench                                   # everything, about an hour
python -m bench --only herd --rounds 5       # one line
python -m bench --schedules 1000000          # the large form of what depends on it
python -m bench --short                      # some seconds; shows only that it works
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from rich.console import Console

from bench.contenders import MEMBERS, Member, Role
from bench.frame import Frame, Plan
from bench.lines import NAMES, load
from bench.lines.base import Form
from bench.place import DIALECTS
from bench.places import Places
from bench.results import Measured
from bench.table import missed, table_of

_AT_ONCE_WHEN_SHORT = 6


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure every line of the budgets."
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, help="these lines only")
    parser.add_argument("--store", choices=DIALECTS, help="this store only")
    parser.add_argument("--rounds", type=int, default=3, help="after one that is not counted")
    parser.add_argument("--schedules", type=int, default=100_000, help="how many are many")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out")
    parser.add_argument("--short", action="store_true", help="small, to see that it works")
    parser.add_argument("--profile", type=Path, metavar="FOLDER", help="profile ours into it")
    parser.add_argument("--results", type=Path, default=Path("bench/results.json"))
    parser.add_argument(
        "--database-url",
        default=os.environ.get("BENCH_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432"),
        help="a PostgreSQL server; databases are made there and dropped",
    )
    parser.add_argument("--redis-url", default="redis://127.0.0.1:6379")
    return parser.parse_args()


def left_out(member: Member, given: argparse.Namespace) -> str | None:
    """Why a peer is not measured."""
    try:
        metadata.version(member.package)
    except metadata.PackageNotFoundError:
        return f"{member.title} is left out: {member.package} is not installed"
    if member.redis and not _listens(given.redis_url):
        return f"{member.title} is left out: no Redis answers at {given.redis_url}"
    return None


def _listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), 1):
            return True
    except OSError:
        return False


@asynccontextmanager
async def sink() -> AsyncIterator[str]:
    """The address of a service that answers, for as long as the block lasts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.sink", stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.stdin.close()
        await process.wait()


async def run(given: argparse.Namespace, console: Console) -> int:
    wanted = [m for m in MEMBERS if m.role is not Role.PEER or not given.no_peers]
    notes = [note for member in wanted if (note := left_out(member, given))]
    members = [member for member in wanted if left_out(member, given) is None]
    plan = Plan(
        lines=[load(name) for name in given.only or NAMES],
        form=Form(given.short, given.schedules),
        rounds=1 if given.short else given.rounds,
        at_once=_AT_ONCE_WHEN_SHORT if given.short else 1,
        dialects=(given.store,) if given.store else DIALECTS,
        profiles=given.profile,
    )
    async with sink() as sink_url, Places(given.database_url, given.redis_url, sink_url) as places:
        try:
            server = await places.postgres_version()
        except (OSError, asyncpg.PostgresError) as error:
            console.print(f"No PostgreSQL answers at {given.database_url}: {error}")
            return 2
        about = _about(server, members)
        frame = Frame(places, members, plan, lambda said: console.print(said, highlight=False))
        measured = await frame.run()
    notes += [f"not measured: {failure}" for failure in frame.failures]
    _keep(given.results, about, measured, notes)
    _report(console, measured, notes)
    return 1 if frame.broken else 0


def _report(console: Console, measured: list[Measured], notes: list[str]) -> None:
    console.print(table_of(measured))
    for note in notes:
        console.print(note, markup=False, highlight=False)
    for budget in missed(measured):
        console.print(f"missed: {budget}", markup=False, highlight=False)


def _about(server: str, members: list[Member]) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "postgresql": server,
        "versions": {member.package: metadata.version(member.package) for member in members},
    }


def _keep(path: Path, about: dict[str, Any], measured: list[Measured], notes: list[str]) -> None:
    lines = [one.as_json() for one in measured]
    text = json.dumps({"about": about, "lines": lines, "notes": notes}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    given = arguments()
    console = Console(width=None if sys.stdout.isatty() else 200)
    if given.profile is not None:
        given.profile.mkdir(parents=True, exist_ok=True)
    sys.exit(asyncio.run(run(given, console)))


if __name__ == "__main__":
    main()
