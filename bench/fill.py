"""Filling a database with schedules quickly: rows as the service writes them, by COPY."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

_COLUMNS = [
    "id", "scope_key", "key", "job_key", "trigger", "target", "payload", "handler", "misfire",
    "overlap", "status", "source", "metadata", "registered", "override", "version", "created_at",
    "updated_at",
]  # fmt: skip


async def fill_schedules(url: str, count: int, expressions: int, due: datetime) -> None:
    """`count` daily schedules of `expressions` distinct rules, all due next at `due`."""
    connection = await asyncpg.connect(url)
    try:
        ids = [uuid7() for _ in range(count)]
        rows = [_schedule(ids[n], n, expressions, due) for n in range(count)]
        cursors = [(key, due, None, 0, False, None) for key in ids]
        await connection.copy_records_to_table(
            "schedules", records=rows, columns=_COLUMNS, schema_name="tickwright"
        )
        await connection.copy_records_to_table(
            "schedule_cursors", records=cursors, schema_name="tickwright"
        )
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def _schedule(key: UUID, n: int, expressions: int, due: datetime) -> tuple[Any, ...]:
    rule = f"{due.second} {due.minute} {due.hour} * * *"
    if n % expressions:
        # Distinct texts of the same instant: an extra hour that lies later in the same day.
        rule = f"{due.second} {due.minute} {due.hour} * {_months(n % expressions)} *"
    trigger = json.dumps({"type": "cron", "expression": rule, "timezone": "UTC"})
    target = json.dumps({"type": "handler", "name": "bench.noop"})
    return (
        key,
        f"tenant-{n % 10}",
        f"bench-{n}",
        "bench.noop",
        trigger,
        target,
        json.dumps({"n": n}),
        "bench.noop",
        "fire_once",
        "skip",
        "active",
        "user",
        "{}",
        "{}",
        "{}",
        1,
        due,
        due,
    )


def _months(n: int) -> str:
    """The n-th of many lists of months that hold every month, written differently."""
    marked = [str(m) if n >> (m - 1) & 1 else f"{m}-{m}" for m in range(1, 13)]
    return ",".join(marked)
