"""The hot statements on asyncpg: bulk values travel as one JSON text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from tickwright.store.base import Offer
from tickwright.store.statements import load

_SQL = load(__package__ or "tickwright.store.postgres")


def _json(rows: list[tuple[Any, ...]]) -> str:
    return to_json(rows).decode()


class PostgresStatements:
    """One method per named statement in `hot.sql`."""

    async def due(self, c: Any, now: datetime, limit: int) -> list[Any]:
        rows: list[Any] = await c.fetch(_SQL["due"], now, limit)
        return rows

    async def open_runs(self, c: Any, ids: list[UUID]) -> list[Any]:
        rows: list[Any] = await c.fetch(_SQL["open_runs"], ids)
        return rows

    async def make_way(self, c: Any, ids: list[UUID], now: datetime) -> list[Any]:
        rows: list[Any] = await c.fetch(_SQL["make_way"], ids, now)
        return rows

    async def may_claim(self, c: Any, worker_id: UUID, now: datetime) -> bool:
        return bool(await c.fetchval(_SQL["may_claim"], worker_id, now))

    async def insert_runs(self, c: Any, rows: list[tuple[Any, ...]]) -> set[UUID]:
        return {row[0] for row in await c.fetch(_SQL["insert_runs"], _json(rows))}

    async def advance(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await c.execute(_SQL["advance"], _json(rows))

    async def complete(self, c: Any, ids: list[UUID] | None, now: datetime) -> None:
        await c.execute(_SQL["complete"], ids, now)

    async def next_due(self, c: Any) -> datetime | None:
        moment: datetime | None = await c.fetchval(_SQL["next_due"])
        return moment

    async def lift(self, c: Any, now: datetime) -> int:
        return int(await c.fetchval(_SQL["lift"], now))

    async def limited(self, c: Any, after: Sequence[str], most: int) -> list[Any]:
        rows: list[Any] = await c.fetch(_SQL["limited"], *after, most)
        return rows

    async def lock_limits(self, c: Any, names: list[int]) -> None:
        await c.execute(_SQL["lock_limits"], names)

    async def count_running(self, c: Any, rows: list[tuple[Any, ...]]) -> list[int]:
        return [row[0] for row in await c.fetch(_SQL["count_running"], _json(rows))]

    async def rates(self, c: Any, rows: list[tuple[Any, ...]]) -> list[Any]:
        found: list[Any] = await c.fetch(_SQL["rates"], _json(rows))
        return found

    async def spend(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await c.execute(_SQL["spend"], _json(rows))

    async def waiting(self, c: Any, rows: list[tuple[Any, ...]]) -> list[Any]:
        found: list[Any] = await c.fetch(_SQL["waiting"], _json(rows))
        return found

    async def admit(self, c: Any, ids: list[UUID]) -> None:
        await c.execute(_SQL["admit"], ids)

    async def hold_back(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await c.execute(_SQL["hold_back"], _json(rows))

    async def take(self, c: Any, lane: str, offer: Offer, now: datetime) -> list[Any]:
        rows: list[Any] = await c.fetch(
            _SQL["take"], lane, offer.slots, offer.queues, offer.handlers, offer.worker_id, now
        )
        return rows

    async def mark_started(self, c: Any, rows: list[tuple[Any, ...]]) -> int:
        status: str = await c.execute(_SQL["mark_started"], _json(rows))
        return int(status.rpartition(" ")[2])

    async def finish(self, c: Any, rows: list[tuple[Any, ...]]) -> dict[UUID, tuple[int, str]]:
        ended = await c.fetch(_SQL["finish"], _json(rows))
        return {run_id: (lease_token, status) for run_id, lease_token, status in ended}

    async def ended_schedules(self, c: Any, ids: list[UUID]) -> dict[UUID, str]:
        rows = await c.fetch(_SQL["ended_schedules"], ids)
        return {row["id"]: row["reason"] for row in rows if row["reason"] is not None}

    async def supersede(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await c.execute(_SQL["supersede"], _json(rows))

    async def count_stats(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await c.execute(_SQL["count_stats"], _json(rows))

    async def trip(self, c: Any, rows: list[tuple[Any, ...]], now: datetime) -> None:
        await c.execute(_SQL["trip"], _json(rows), now)

    async def count_days(self, c: Any, rows: list[tuple[Any, ...]]) -> None:
        await c.execute(_SQL["count_days"], _json(rows))

    async def held(self, c: Any, worker_id: UUID) -> list[Any]:
        rows: list[Any] = await c.fetch(_SQL["held"], worker_id)
        return rows

    async def orphans(self, c: Any, now: datetime, limit: int) -> list[Any]:
        rows: list[Any] = await c.fetch(_SQL["orphans"], now, limit)
        return rows

    async def notify(self, c: Any, topic: str) -> None:
        await c.execute(_SQL["notify"], topic)
