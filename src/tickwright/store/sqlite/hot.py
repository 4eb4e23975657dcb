"""The hot statements on aiosqlite: bulk values travel as one JSON text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from tickwright.store.base import Offer
from tickwright.store.schema import from_micros, to_micros
from tickwright.store.statements import load

_SQL = load(__package__ or "tickwright.store.sqlite")
_IDS = ("id", "schedule_id", "worker_id")
_MOMENTS = ("next_run_at", "ends_at", "nominal_at", "run_at", "started_at", "opens_at")
_READ: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_IDS, UUID),
    **dict.fromkeys(_MOMENTS, from_micros),
}


def _stored(value: object) -> object:
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return to_micros(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no stored form")


def _json(rows: object) -> str:
    return json.dumps(rows, default=_stored)


async def _rows(c: Any, name: str, *values: object) -> list[Any]:
    cursor = await c.execute(_SQL[name], values)
    rows = await cursor.fetchall()
    names = [column[0] for column in cursor.description]
    await cursor.close()
    return [_typed(names, row) for row in rows]


def _typed(names: list[str], row: Any) -> dict[str, Any]:
    typed = dict(zip(names, row, strict=True))
    for name in typed.keys() & _READ.keys():
        if typed[name] is not None:
            typed[name] = _READ[name](typed[name])
    return typed


async def _run(c: Any, name: str, *values: object) -> int:
    """How many rows the statement touched."""
    cursor = await c.execute(_SQL[name], values)
    touched = int(cursor.rowcount)
    await cursor.close()
    return touched


class SqliteStatements:
    """One method per thing the firing path does, over the statements in `hot.sql`."""

    async def due(self, c: Any, now: datetime, limit: int) -> list[Any]:
        return await _rows(c, "due", to_micros(now), limit)

    async def open_runs(self, c: Any, ids: list[UUID]) -> list[Any]:
        return await _rows(c, "open_runs", _json([[key] for key in ids]))

    async def make_way(self, c: Any, ids: list[UUID], now: datetime) -> list[Any]:
        return await _rows(c, "make_way", _json([[key] for key in ids]), to_micros(now))

    async def may_claim(self, c: Any, worker_id: UUID, now: datetime) -> bool:
        cursor = await c.execute(_SQL["may_claim"], (worker_id.hex, to_micros(now)))
        (may,) = await cursor.fetchone()
        await cursor.close()
        return bool(may)

    async def insert_runs(self, c: Any, rows: list[tuple[Any, ...]]) -> set[UUID]:
        return {row["id"] for row in await _rows(c, "insert_runs", _json(rows))}

    async def advance(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await _run(c, "advance", _json(rows))

    async def complete(self, c: Any, ids: list[UUID] | None, now: datetime) -> None:
        among = None if ids is None else _json([[key] for key in ids])
        over = [(row["id"], row["failed"]) for row in await _rows(c, "over", among)]
        if over:
            await _run(c, "end_schedules", _json(over), to_micros(now))
            await _run(c, "end_cursors", _json(over))

    async def next_due(self, c: Any) -> datetime | None:
        cursor = await c.execute(_SQL["next_due"])
        (micros,) = await cursor.fetchone()
        await cursor.close()
        return None if micros is None else from_micros(micros)

    async def lift(self, c: Any, now: datetime) -> int:
        opened = await _run(c, "open_rates", to_micros(now))
        return opened + len(await _rows(c, "lift", to_micros(now)))

    async def limited(self, c: Any, after: Sequence[str], most: int) -> list[Any]:
        return await _rows(c, "limited", *after, most)

    async def lock_limits(self, c: Any, names: list[int]) -> None:
        """Nothing to do: whoever writes is alone."""

    async def count_running(self, c: Any, rows: list[tuple[Any, ...]]) -> list[int]:
        return [row["running"] for row in await _rows(c, "count_running", _json(rows))]

    async def rates(self, c: Any, rows: list[tuple[Any, ...]]) -> list[Any]:
        return await _rows(c, "rates", _json(rows))

    async def spend(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await _run(c, "spend", _json(rows))

    async def waiting(self, c: Any, rows: list[tuple[Any, ...]]) -> list[Any]:
        found = [await _rows(c, "waiting", *row, n) for n, row in enumerate(rows, start=1)]
        return [run for group in found for run in group]

    async def admit(self, c: Any, ids: list[UUID]) -> None:
        await _run(c, "admit", _json([[key] for key in ids]))

    async def hold_back(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await _run(c, "hold_back", _json(rows))

    async def take(self, c: Any, lane: str, offer: Offer, now: datetime) -> list[Any]:
        taken = await _rows(
            c,
            "take",
            lane,
            offer.slots,
            _json(offer.queues),
            _json(offer.handlers),
            offer.worker_id.hex,
            to_micros(now),
        )
        return await self._by_id(c, taken, lane)

    async def mark_started(self, c: Any, rows: list[tuple[Any, ...]]) -> int:
        return await _run(c, "mark_started", _json(rows))

    async def finish(self, c: Any, rows: list[tuple[Any, ...]]) -> dict[UUID, tuple[int, str]]:
        ended = await _rows(c, "finish", _json(rows))
        return {row["id"]: (row["lease_token"], row["status"]) for row in ended}

    async def ended_schedules(self, c: Any, ids: list[UUID]) -> dict[UUID, str]:
        rows = await _rows(c, "ended_schedules", _json([[key] for key in ids]))
        return {row["id"]: row["reason"] for row in rows if row["reason"] is not None}

    async def supersede(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await _run(c, "supersede", _json(rows))

    async def count_stats(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await _run(c, "count_stats", _json(rows))

    async def trip(self, c: Any, rows: list[tuple[Any, ...]], now: datetime) -> None:
        await _run(c, "trip", _json(rows), to_micros(now))

    async def count_days(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await _run(c, "count_days", _json(rows))

    async def held(self, c: Any, worker_id: UUID) -> list[Any]:
        return await self._by_id(c, await _rows(c, "held", worker_id.hex), "")

    async def orphans(self, c: Any, now: datetime, limit: int) -> list[Any]:
        return await self._by_id(c, await _rows(c, "orphans", to_micros(now), limit), "")

    async def notify(self, c: Any, topic: str) -> None:
        """Nothing to do: other processes see the data version change."""

    async def _by_id(self, c: Any, rows: list[Any], lane: str) -> list[Any]:
        if not rows:
            return []
        return await _rows(c, "runs_by_id", _json([[row["id"]] for row in rows]), lane)
