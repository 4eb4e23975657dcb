"""Filling a database with schedules at once, and reading back what became of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tests.faults.engine_process import HANDLER
from tickwright.model.clock import SystemClock
from tickwright.store.database import new_id
from tickwright.store.schema import Tables
from tickwright.triggers import Trigger

SECOND = timedelta(seconds=1)
OPEN = {"queued", "running"}
_LOOK_SECONDS = 0.05
_tables = cache(Tables)
_SNAPSHOT = {
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "sqlite": "BEGIN",
}


async def coming_second(ahead: float) -> datetime:
    """A whole second at least `ahead` seconds from now."""
    now = await SystemClock().now()
    return (now + timedelta(seconds=ahead)).replace(microsecond=0) + SECOND


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[AsyncConnection, Tables]]:
    name = make_url(url).get_backend_name()
    driver = {"postgresql": "asyncpg", "sqlite": "aiosqlite"}[name]
    engine = create_async_engine(make_url(url).set(drivername=f"{name}+{driver}"))
    try:
        async with engine.connect() as connection:
            yield connection, _tables(name)
    finally:
        await engine.dispose()


@dataclass(frozen=True)
class Wanted:
    """A schedule to fill in; its next occurrence is `due`."""

    scope_key: str
    trigger: Trigger
    due: datetime
    payload: dict[str, Any]
    overlap: str = "allow"
    ends_at: datetime | None = None


async def fill(url: str, wanted: Sequence[Wanted]) -> list[UUID]:
    """All of them in one transaction that wakes the engines."""
    ids = [new_id() for _ in wanted]
    async with connected(url) as (c, tables):
        rows = [_schedule(key, w) for key, w in zip(ids, wanted, strict=True)]
        cursors = [
            {"schedule_id": key, "next_run_at": w.due, "fired_count": 0, "spent": False}
            for key, w in zip(ids, wanted, strict=True)
        ]
        await c.execute(sa.insert(tables.schedules), rows)
        await c.execute(sa.insert(tables.cursors), cursors)
        if c.dialect.name == "postgresql":
            await c.execute(sa.text("SELECT pg_notify('tickwright', 'due')"))
        await c.commit()
    return ids


def _schedule(key: UUID, wanted: Wanted) -> dict[str, Any]:
    return {
        "id": key,
        "scope_key": wanted.scope_key,
        "key": f"s-{key}",
        "job_key": HANDLER,
        "trigger": wanted.trigger.to_json(),
        "target": {"type": "handler", "name": HANDLER},
        "handler": HANDLER,
        "payload": wanted.payload,
        "ends_at": wanted.ends_at,
        "misfire": "fire_once",
        "overlap": wanted.overlap,
        "status": "active",
        "source": "user",
        "metadata": {},
        "registered": {},
        "override": {},
        "version": 1,
        "created_at": wanted.due,
        "updated_at": wanted.due,
    }


@dataclass(frozen=True)
class Ledger:
    """All rows of a database at one moment."""

    schedules: dict[UUID, Any]
    cursors: dict[UUID, Any]
    stats: dict[UUID, Any]
    days: list[Any]
    runs: list[Any]
    attempts: list[Any]
    workers: list[Any]

    @property
    def open(self) -> list[Any]:
        return [run for run in self.runs if run.status in OPEN]

    @property
    def spent(self) -> bool:
        """Whether every schedule has come to its end."""
        return all(s.status == "completed" for s in self.schedules.values())

    def run(self, schedule_id: UUID) -> Any:
        (only,) = [run for run in self.runs if run.schedule_id == schedule_id]
        return only


async def read_ledger(url: str) -> Ledger:
    async with connected(url) as (c, t):
        await c.exec_driver_sql(_SNAPSHOT[c.dialect.name])
        rows = {
            name: list(await c.execute(sa.select(table)))
            for name, table in vars(t).items()
            if isinstance(table, sa.Table)
        }
    by_id = {row.schedule_id: row for row in rows["cursors"]}
    return Ledger(
        schedules={row.id: row for row in rows["schedules"]},
        cursors=by_id,
        stats={row.schedule_id: row for row in rows["stats"]},
        days=rows["days"],
        runs=rows["runs"],
        attempts=rows["attempts"],
        workers=rows["workers"],
    )


async def ledger_when(
    url: str, condition: Callable[[Ledger], object], seconds: float, what: str
) -> Ledger:
    """The ledger as soon as `condition` holds; AssertionError after `seconds`."""
    began = time.monotonic()
    while not condition(ledger := await read_ledger(url)):
        statuses = Counter(run.status for run in ledger.runs)
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}; {statuses}"
        await asyncio.sleep(_LOOK_SECONDS)
    return ledger


def assert_counted(ledger: Ledger) -> None:
    """The counters and the days' sums say what the rows say."""
    executed = [run for run in ledger.runs if run.status in ("succeeded", "failed", "dead")]
    by_schedule = Counter(run.schedule_id for run in executed)
    won = Counter(run.schedule_id for run in executed if run.status == "succeeded")
    counted = {key: s.run_count for key, s in ledger.stats.items()}
    assert counted == dict(by_schedule)
    assert {key: s.success_count for key, s in ledger.stats.items() if s.success_count} == dict(won)
    assert sum(day.succeeded for day in ledger.days) == sum(won.values())
    assert sum(day.failed for day in ledger.days) == len(executed) - sum(won.values())


def assert_never_early(ledger: Ledger) -> None:
    early = [r for r in ledger.runs if r.started_at is not None and r.started_at < r.nominal_at]
    assert early == []


def instants(rows: Iterable[Any], every: timedelta) -> list[datetime]:
    """Each instant that these decisions cover, stretches spread out, in order."""
    covered: list[datetime] = []
    for row in rows:
        through = row.through_at or row.nominal_at
        steps = (through - row.nominal_at) // every
        assert row.count == steps + 1
        covered += [row.nominal_at + step * every for step in range(steps + 1)]
    return sorted(covered)


def assert_decided_once_a_second(
    ledger: Ledger, ids: Iterable[UUID], first: datetime, last: datetime
) -> None:
    """Each second from `first` to `last` was executed, or skipped where the overlap says so."""
    expected = [first + n * SECOND for n in range((last - first) // SECOND + 1)]
    for schedule_id in ids:
        rows = [run for run in ledger.runs if run.schedule_id == schedule_id]
        assert instants(rows, SECOND) == expected
        assert {row.status for row in rows} <= {"succeeded", "skipped"}
        fired = sum(row.status == "succeeded" for row in rows)
        assert ledger.cursors[schedule_id].fired_count == fired
        if ledger.schedules[schedule_id].overlap == "allow":
            assert fired == len(expected)
