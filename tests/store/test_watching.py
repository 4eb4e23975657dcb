"""What tells a process that another one changed something; a hint, never needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa

from tickwright.model.schedule import Cursor
from tickwright.store.base import Store
from tickwright.store.database import new_id

from .conftest import Another
from .support import (
    ACME,
    MINUTE,
    NOW,
    add,
    application,
    begun,
    create,
    creating,
    fire,
    online,
    queue_up,
    retried,
    schedule,
)

Expect = Callable[[str], Awaitable[list[str]]]
only_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@asynccontextmanager
async def watching(store: Store) -> AsyncIterator[Expect]:
    """Waits until a topic is told; which ones were told before it."""
    told: asyncio.Queue[str] = asyncio.Queue()
    watch = asyncio.ensure_future(store.watch(told.put_nowait))

    async def expect(topic: str) -> list[str]:
        before: list[str] = []
        async with asyncio.timeout(10):
            while (heard := await told.get()) != topic:
                before.append(heard)
        return before

    try:
        await expect("due")
        await expect("ready")
        yield expect
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def test_a_watcher_hears_what_another_process_does(store: Store, another: Another) -> None:
    other = another()
    offer = await online(other)
    async with watching(store) as expect:
        await create(other, schedule())
        await expect("due")
        await fire(other)
        await expect("ready")
        run = await add(other, ACME, "nightly")
        await expect("ready")
        await other.runs.cancel(ACME, run.id, now=NOW)
        await expect("cancel")
        [claimed] = await other.queue.claim(offer, NOW)
        await other.queue.finish([retried(begun(claimed))])
        await expect("due")
        assert await other.queue.lift(NOW + MINUTE) == 1
        await expect("ready")


async def test_a_watcher_hears_of_runs_that_were_handed_back(
    store: Store, another: Another
) -> None:
    other = another()
    offer = await online(other)
    await queue_up(other, cursor=Cursor())
    async with watching(store) as expect:
        claimed = await other.queue.claim(offer, NOW)
        await other.queue.release(claimed, NOW)
        await expect("ready")


@only_postgres
async def test_nothing_is_heard_of_what_was_rolled_back(store: Store, database_url: str) -> None:
    async with watching(store) as expect:
        async with application(database_url) as theirs, theirs.begin() as transaction:
            await store.schedules.write(ACME, "x", creating(schedule("x")), connection=theirs)
            await transaction.rollback()
        await store.runs.cancel(ACME, new_id(), now=NOW)
        assert await expect("cancel") == []


@only_postgres
async def test_a_watcher_whose_connection_ends_listens_again(
    store: Store, database_url: str
) -> None:
    """Anything may have happened meanwhile, so everything is told anew."""
    listeners = sa.text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    async with watching(store) as expect:
        async with application(database_url) as connection:
            assert (await connection.execute(listeners)).scalar_one() == 1
        await expect("due")
        await expect("ready")
        await create(store, schedule())
        await expect("due")
