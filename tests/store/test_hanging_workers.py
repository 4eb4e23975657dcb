"""A process that hangs in the middle of a transaction holds up nobody's rescue."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg

from tickwright.model.worker import Worker, WorkerStatus
from tickwright.store import open_store
from tickwright.store.database import new_id
from tickwright.testing import FakeClock

PATIENCE_SECONDS = 2
LEASE = timedelta(seconds=1)


async def test_a_worker_that_hangs_in_its_heartbeat_does_not_keep_others_from_expiring(
    postgres_url: str, clock: FakeClock
) -> None:
    store = open_store(postgres_url, clock=clock)
    now = await clock.now()
    hanging, silent = (
        Worker(
            id=new_id(),
            name="w",
            host="h",
            pid=1,
            version="0",
            queues=("default",),
            handlers=(),
            slots=1,
            status=WorkerStatus.ONLINE,
            started_at=now,
            heartbeat_at=now,
            lease_until=now + LEASE,
        )
        for _ in range(2)
    )
    await store.open()
    other = await asyncpg.connect(postgres_url)
    try:
        for worker in (hanging, silent):
            await store.workers.register(worker)
        async with other.transaction():
            await other.execute(
                "UPDATE tickwright.workers SET running = 1 WHERE id = $1", hanging.id
            )
            async with asyncio.timeout(PATIENCE_SECONDS):
                expired = await store.workers.expire(now + 2 * LEASE)
            assert [worker.id for worker in expired] == [silent.id]
    finally:
        await other.close()
        await store.close()
