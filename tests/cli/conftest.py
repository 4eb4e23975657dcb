"""The command line in this process, on a database of the test's own."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tickwright import RunContext
from tickwright.bootstrap import Scheduler
from tickwright.cli import build
from tickwright.service.sync import SyncScheduler

# Nothing listens on the ports below 1024 that nobody was given.
AWAY = "postgresql://nobody:secret@127.0.0.1:9/nothing"
_FOREIGN = ("TICKWRIGHT_DATABASE_URL", "DATABASE_URL", "POSTGRES_URL", "TICKWRIGHT_DEBUG")


@dataclass(frozen=True)
class Cli:
    """Runs commands as a user would, and keeps what they print apart."""

    url: str

    def __call__(self, *args: str, **environment: str | None) -> Result:
        env = {**dict.fromkeys(_FOREIGN), "TICKWRIGHT_DATABASE_URL": self.url, **environment}
        return CliRunner(env=env).invoke(build(), args, prog_name="tickwright")

    def ok(self, *args: str, **environment: str | None) -> str:
        """What a command prints that must succeed."""
        result = self(*args, **environment)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def json(self, *args: str, **environment: str | None) -> Any:
        return json.loads(self.ok(*args, "--json", **environment))

    def refused(self, code: int, *args: str, **environment: str | None) -> str:
        """The one line on stderr of a command that must end with `code`."""
        result = self(*args, **environment)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr.removeprefix("error: ").strip()

    def create(self, job: str = "report", *args: str) -> Any:
        """A schedule that happens once a day, unless `args` say something else."""
        rule = (
            ()
            if {"--cron", "--every", "--at", "--rrule", "--trigger"} & set(args)
            else ("--every", "1d")
        )
        return self.json("schedule", "create", job, *rule, *args)


@pytest.fixture
def cli(sqlite_url: str) -> Cli:
    return Cli(sqlite_url)


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[SyncScheduler]:
    """An engine at work on the same database, with a handler that works and one that fails."""
    scheduler = SyncScheduler(Scheduler(sqlite_url, sweep_seconds=0.2))
    scheduler.register_handler("report", _report)
    scheduler.register_handler("broken", _broken)
    scheduler.register_handler("talks", _talks)
    with scheduler:
        yield scheduler


async def _report(tenant_id: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"tenant": tenant_id, "got": payload}


def _talks(tenant_id: str, payload: dict[str, Any], ctx: RunContext) -> None:
    ctx.progress(50, 200, "copying\x1b[31m")
    ctx.log("first\x1b[31m\nand second", level="warning")
    for number in range(payload.get("lines", 0)):
        ctx.log(f"line {number}")


async def _broken(tenant_id: str, payload: dict[str, Any]) -> None:
    raise ValueError("it broke")


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "alembic", "uvicorn", "aiosqlite")]
    loggers.append(logging.getLogger("asyncio"))
    levels = [logger.level for logger in loggers]
    handlers = list(loggers[0].handlers)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    loggers[0].handlers[:] = handlers
