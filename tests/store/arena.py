"""Two stores, one of each dialect, that are asked the same; and what their tables hold then.

Run ids are made by the stores and differ, so a run is called by what both know of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from tickwright.model.run import Cause, Claimed, Run
from tickwright.store import open_store
from tickwright.store.base import Store
from tickwright.store.database import Database

Label = str
Row = dict[str, Any]
Table = dict[Any, Row]
Rows = dict[str, Table]
"""By table, then by primary key with labels instead of run ids."""
Lease = tuple[Label, int]
_KEYS = {
    "runs": ("id",),
    "attempts": ("run_id", "attempt"),
    "schedule_cursors": ("schedule_id",),
    "schedule_stats": ("schedule_id",),
    "run_days": ("schedule_id", "day"),
    "rates": ("scope_key", "job_key", "limit_key"),
    "changes": ("resource_id", "version", "action"),
}


def label(run: Run | Claimed | SimpleNamespace) -> Label:
    """Automatic runs by schedule and instant, others by what they were asked for with."""
    if run.cause != Cause.SCHEDULE:
        return str(run.triggered_by)
    return f"{run.schedule_id and run.schedule_id.int} {run.nominal_at:%d %H:%M:%S.%f}"


@dataclass
class Side:
    """One store, the leases it handed out, and by what name each of its runs goes."""

    store: Store
    leases: dict[Lease, Claimed] = field(default_factory=dict)
    names: dict[UUID, Label] = field(default_factory=dict)

    @property
    def _database(self) -> Database:
        return cast(Any, self.store.upkeep)._database  # type: ignore[no-any-return]

    async def rows(self) -> Rows:
        tables = self._database.tables
        found: dict[str, list[Row]] = {}
        async with self._database.read() as c:
            for table in tables.metadata.sorted_tables:
                rows = await c.execute(sa.select(table))
                name = table.name.removeprefix(tables.prefix)
                found[name] = [dict(row) for row in rows.mappings()]
        for row in found["runs"]:
            self.names.setdefault(row["id"], label(SimpleNamespace(**row)))
        return {name: self._keyed(name, rows) for name, rows in found.items()}

    def _keyed(self, name: str, rows: list[Row]) -> Table:
        for row in rows:
            if name == "changes":
                del row["id"]
            elif name == "runs":
                row["own_key"] = row["own_key"].partition(":")[0]
            for column in ("id", "run_id", "replay_of"):
                if row.get(column) in self.names:
                    row[column] = self.names[row[column]]
        return {tuple(row[c] for c in _KEYS.get(name, tuple(row)[:1])): row for row in rows}

    def keep(self, claimed: list[Claimed]) -> list[Lease]:
        for run in claimed:
            self.leases[label(run), run.lease_token] = run
        return [(label(run), run.lease_token) for run in claimed]

    def run_id(self, name: Label) -> UUID:
        return next(key for key, known in self.names.items() if known == name)

    async def empty(self) -> None:
        self.leases.clear()
        self.names.clear()
        async with self._database.write() as c:
            for table in self._database.tables.metadata.sorted_tables:
                await c.execute(sa.delete(table))


Step = Callable[[Side], Coroutine[Any, Any, Any]]


class Arena:
    """Both stores, open, and the event loop they live on."""

    def __init__(self, runner: asyncio.Runner, sides: list[Side]) -> None:
        self._runner = runner
        self._sides = sides

    def empty(self) -> None:
        self._on_each(lambda side: side.empty())

    def ask(self, step: Step) -> tuple[Any, Rows, datetime | None]:
        """What both answer, what their tables hold then, and when they are due next."""

        async def all_of(side: Side) -> tuple[Any, Rows, datetime | None]:
            answer = await step(side)
            return answer, await side.rows(), await side.store.firing.next_due()

        one, two = self._on_each(all_of)
        assert one[0] == two[0], f"the answers differ:\n{one[0]}\n{two[0]}"
        for table, rows in one[1].items():
            _same(table, rows, two[1][table])
        assert one[2] == two[2], f"next due differs: {one[2]} and {two[2]}"
        return one  # type: ignore[no-any-return]

    def _on_each(self, step: Step) -> Any:
        async def both() -> Any:
            return await asyncio.gather(*(step(side) for side in self._sides))

        return self._runner.run(both())


def _same(table: str, one: Table, two: Table) -> None:
    for key in one.keys() | two.keys():
        mine, other = one.get(key, {}), two.get(key, {})
        differ = {
            c: (mine.get(c), other.get(c)) for c in {*mine, *other} if mine.get(c) != other.get(c)
        }
        assert not differ, f"{table} {key}: SQLite and PostgreSQL differ in {differ}"


@contextmanager
def arena(postgres_url: str) -> Iterator[Arena]:
    """SQLite in memory beside PostgreSQL, neither of which waits for the disk."""
    with asyncio.Runner() as runner:
        runner.run(_alter(postgres_url, "SET synchronous_commit = off"))
        sides = [Side(open_store("sqlite://")), Side(open_store(postgres_url))]
        try:
            runner.run(sides[0].store.upkeep.migrate())
            yield Arena(runner, sides)
        finally:
            for side in sides:
                runner.run(_close(side.store))
            runner.run(_alter(postgres_url, "RESET synchronous_commit"))


async def _close(store: Store) -> None:
    await store.close()


async def _alter(url: str, to: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" {to}')
    finally:
        await connection.close()
