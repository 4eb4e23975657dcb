"""Workers: one renewed lease each, on which all their runs depend."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tickwright.model.worker import Worker, WorkerStatus
from tickwright.store.database import Database


class SqlWorkers:
    """The workers contract in statements both dialects share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(self, worker: Worker) -> None:
        values = {
            "id": worker.id,
            "name": worker.name,
            "host": worker.host,
            "pid": worker.pid,
            "version": worker.version,
            "queues": list(worker.queues),
            "handlers": list(worker.handlers),
            "slots": worker.slots,
            "running": worker.running,
            "status": worker.status.value,
            "started_at": worker.started_at,
            "heartbeat_at": worker.heartbeat_at,
            "lease_until": worker.lease_until,
        }
        async with self._database.write() as c:
            await c.execute(sa.insert(self._database.tables.workers).values(values))

    async def beat(
        self, worker: Worker, now: datetime, lease: timedelta
    ) -> Collection[UUID] | None:
        t, r = self._database.tables.workers, self._database.tables.runs
        renewed = (
            sa.update(t)
            .where(t.c.id == worker.id, t.c.status != WorkerStatus.OFFLINE.value)
            .values(
                heartbeat_at=now,
                lease_until=now + lease,
                running=worker.running,
                handlers=list(worker.handlers),
                status=worker.status.value,
            )
        )
        asked = sa.select(r.c.id).where(
            r.c.worker_id == worker.id,
            r.c.status == sa.literal_column("'running'"),
            r.c.cancel_requested_at.is_not(None),
        )
        async with self._database.write() as c:
            if (await c.execute(renewed)).rowcount == 0:
                return None
            return (await c.execute(asked)).scalars().all()

    async def mark(self, worker_id: UUID, status: WorkerStatus) -> None:
        t = self._database.tables.workers
        async with self._database.write() as c:
            await c.execute(sa.update(t).where(t.c.id == worker_id).values(status=status.value))

    async def expire(self, now: datetime) -> list[Worker]:
        t = self._database.tables.workers
        # A worker that hangs in the middle of a heartbeat keeps its row locked: waiting for it
        # would stop the rescue of everybody else's runs, and of its own.
        silent = (
            sa.select(t.c.id)
            .where(t.c.status != WorkerStatus.OFFLINE.value, t.c.lease_until <= now)
            .with_for_update(skip_locked=True)
        )
        over = (
            sa.update(t)
            .where(t.c.id.in_(silent))
            .values(status=WorkerStatus.OFFLINE.value)
            .returning(t)
        )
        async with self._database.write() as c:
            return [_worker(row) for row in await c.execute(over)]

    async def forget(self, before: datetime) -> int:
        t = self._database.tables.workers
        gone = sa.delete(t).where(
            t.c.status == WorkerStatus.OFFLINE.value, t.c.lease_until < before
        )
        async with self._database.write() as c:
            return int((await c.execute(gone)).rowcount)

    async def all(self) -> list[Worker]:
        t = self._database.tables.workers
        statement = sa.select(t).order_by(t.c.id.desc()).limit(1000)
        async with self._database.read() as c:
            return [_worker(row) for row in await c.execute(statement)]

    async def handlers(self, now: datetime) -> set[str]:
        t = self._database.tables.workers
        live = sa.select(t.c.handlers).where(
            t.c.status == WorkerStatus.ONLINE.value, t.c.lease_until > now
        )
        async with self._database.read() as c:
            return {name for names in (await c.execute(live)).scalars() for name in names}


def _worker(row: Any) -> Worker:
    return Worker(
        id=row.id,
        name=row.name,
        host=row.host,
        pid=row.pid,
        version=row.version,
        queues=tuple(row.queues),
        handlers=tuple(row.handlers),
        slots=row.slots,
        status=WorkerStatus(row.status),
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        lease_until=row.lease_until,
        running=row.running,
    )
