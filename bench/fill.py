"""Filling a database quickly: the rows are those that the service itself writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from bench.contenders.base import micros
from bench.place import POSTGRES, Place

JOB = "bench.noop"
LATENESS_JOB = "bench.lateness"
TENANTS = 10
OWNERS = 100
"""How many schedules share the runs of a backlog."""

_SCHEDULES = (
    "id", "scope_key", "key", "job_key", "trigger", "target", "payload", "handler", "misfire",
    "overlap", "status", "source", "metadata", "registered", "override", "version", "created_at",
    "updated_at",
)  # fmt: skip
_CURSORS = ("schedule_id", "next_run_at", "decided_through", "fired_count", "spent", "parked")
_RUNS = (
    "id", "scope_key", "schedule_id", "job_key", "queue", "priority", "handler", "cause",
    "own_key", "status", "nominal_at", "count", "run_at", "target", "payload", "attempt",
    "lost_count", "lease_token", "items_processed", "items_succeeded", "items_failed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule to be: its trigger as JSON, and when it is due next."""

    trigger: str
    due: datetime


def herd(count: int, rules: int, due: datetime) -> Iterator[Planned]:
    """Daily schedules of so many differently written rules, all due at one instant."""
    for n in range(count):
        yield Planned(_cron(f"{due.second} {due.minute} {due.hour} * {_written(n % rules)}"), due)


def ticking(first: datetime) -> Iterator[Planned]:
    """One schedule that is due each second."""
    yield Planned(_cron("* * * * * *"), first)


def spread(count: int, per_second: int, first: datetime) -> Iterator[Planned]:
    """Schedules at one interval whose turns are evenly spread, so many in each second."""
    interval = f"{count // per_second}s"
    for n in range(count):
        anchor = first + timedelta(seconds=n / per_second)
        trigger = {"type": "interval", "every": interval, "anchor": anchor.isoformat()}
        yield Planned(_json(trigger), anchor)


def asleep(count: int, due: datetime) -> Iterator[Planned]:
    """Daily schedules that are due much later."""
    trigger = _cron(f"{due.second} {due.minute} {due.hour} * * *")
    for _ in range(count):
        yield Planned(trigger, due)


async def fill_schedules(
    place: Place, planned: Iterable[Planned], now: datetime, job: str, tenant: str | None = None
) -> None:
    """Active schedules, and their cursors; of several tenants unless one is named."""
    cursors: list[tuple[Any, ...]] = []

    def rows() -> Iterator[tuple[Any, ...]]:
        for n, one in enumerate(planned):
            key = uuid7()
            cursors.append((key, one.due, None, 0, False, None))
            yield _schedule(key, n, one, now, job, tenant)

    await _insert(
        place, [("schedules", _SCHEDULES, rows()), ("schedule_cursors", _CURSORS, cursors)]
    )


async def fill_backlog(
    place: Place, count: int, target: dict[str, str], now: datetime, tenant: str | None = None
) -> None:
    """Runs that wait to be claimed, of a hundred schedules that are not due themselves."""
    owners = [uuid7() for _ in range(min(OWNERS, count))]
    later = next(asleep(1, now + timedelta(days=1)))
    schedules = [_schedule(key, n, later, now, JOB, tenant) for n, key in enumerate(owners)]
    cursors = [(key, later.due, None, 0, False, None) for key in owners]
    runs = (_run(n, owners[n % len(owners)], target, now, tenant) for n in range(count))
    await _insert(
        place,
        [
            ("schedules", _SCHEDULES, schedules),
            ("schedule_cursors", _CURSORS, cursors),
            ("runs", _RUNS, runs),
        ],
    )


async def open_runs(place: Place) -> int:
    """How many runs have not ended."""
    asked = "SELECT count(*) FROM {} WHERE status IN ('queued', 'running')"
    if place.dialect == POSTGRES:
        connection = await asyncpg.connect(place.url)
        try:
            return int(await connection.fetchval(asked.format("tickwright.runs")))
        finally:
            await connection.close()
    with closing(sqlite3.connect(place.path, timeout=10)) as reader:
        (count,) = reader.execute(asked.format("tickwright_runs")).fetchone()
    return int(count)


def _schedule(
    key: UUID, n: int, planned: Planned, now: datetime, job: str, tenant: str | None
) -> tuple[Any, ...]:
    return (
        key,
        tenant or f"tenant-{n % TENANTS}",
        f"bench-{n}",
        job,
        planned.trigger,
        _json({"type": "handler", "name": job}),
        _json({"n": n}),
        job,
        "fire_once",
        "skip",
        "active",
        "user",
        "{}",
        "{}",
        "{}",
        1,
        now,
        now,
    )


def _run(
    n: int, owner: UUID, target: dict[str, str], now: datetime, tenant: str | None
) -> tuple[Any, ...]:
    key = uuid7()
    return (
        key,
        tenant or f"tenant-{n % OWNERS % TENANTS}",
        owner,
        JOB,
        "default",
        5,
        JOB if target["type"] == "handler" else None,
        "manual",
        f"m:{key}",
        "queued",
        now,
        1,
        now,
        _json(target),
        _json({"n": n}),
        1,
        0,
        0,
        0,
        0,
        0,
    )


def _written(n: int) -> str:
    """The n-th of half a million ways to write every month and every day of the week."""
    months = [str(m) if n >> (m - 1) & 1 else f"{m}-{m}" for m in range(1, 13)]
    days = [str(d) if n >> (12 + d) & 1 else f"{d}-{d}" for d in range(7)]
    return f"{','.join(months)} {','.join(days)}"


def _cron(expression: str) -> str:
    return _json({"type": "cron", "expression": expression, "timezone": "UTC"})


def _json(value: object) -> str:
    return json.dumps(value)


Table = tuple[str, Sequence[str], Iterable[tuple[Any, ...]]]


async def _insert(place: Place, tables: Sequence[Table]) -> None:
    if place.dialect == POSTGRES:
        await _copy(place, tables)
    else:
        _execute_many(place, tables)


async def _copy(place: Place, tables: Sequence[Table]) -> None:
    connection = await asyncpg.connect(place.url)
    try:
        for table, columns, rows in tables:
            await connection.copy_records_to_table(
                table, records=rows, columns=columns, schema_name="tickwright", timeout=600
            )
        await connection.execute("VACUUM (ANALYZE)", timeout=600)
    finally:
        await connection.close()


def _execute_many(place: Place, tables: Sequence[Table]) -> None:
    with closing(sqlite3.connect(place.path, timeout=10)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for table, columns, rows in tables:
            marks = ", ".join("?" for _ in columns)
            connection.executemany(
                f"INSERT INTO tickwright_{table} ({', '.join(columns)}) VALUES ({marks})",
                (tuple(_stored(value) for value in row) for row in rows),
            )
        connection.execute("ANALYZE")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _stored(value: object) -> object:
    if isinstance(value, UUID):
        return value.hex
    return micros(value) if isinstance(value, datetime) else value
