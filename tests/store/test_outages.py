"""A database that goes away: one kind of error, and no help needed when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.errors import StoreUnavailable
from tickwright.model.schedule import Schedule
from tickwright.store import open_store
from tickwright.store.base import Edit, NewRun, Store
from tickwright.store.database import new_id
from tickwright.store.queries import RunQuery, ScheduleQuery

from .conftest import Another
from .support import (
    ACME,
    LEASE,
    NOW,
    add,
    application,
    change,
    create,
    creating,
    due,
    fire,
    lost,
    online,
    queue_up,
    runs_of,
    schedule,
    succeeded,
    together,
    until_blocked,
    worker,
)

Call = Callable[[Store], Awaitable[Any]]

CALLS: dict[str, Call] = {
    "schedules.write": lambda s: s.schedules.write(ACME, "x", creating(schedule("x"))),
    "schedules.get": lambda s: s.schedules.get(ACME, "x"),
    "schedules.find": lambda s: s.schedules.find(ACME, ScheduleQuery()),
    "schedules.armed": lambda s: s.schedules.armed(ACME),
    "schedules.count": lambda s: s.schedules.count(),
    "jobs.get": lambda s: s.jobs.get(ACME, "x"),
    "runs.add": lambda s: s.runs.add(ACME, "x", NewRun("manual"), now=NOW),  # type: ignore[arg-type]
    "runs.find": lambda s: s.runs.find(ACME, RunQuery()),
    "runs.cancel": lambda s: s.runs.cancel(ACME, new_id(), now=NOW),
    "changes.find": lambda s: s.changes.find(ACME, 1, 0),
    "firing.fire": lambda s: fire(s),
    "firing.next_due": lambda s: s.firing.next_due(),
    "queue.lift": lambda s: s.queue.lift(NOW),
    "queue.rescue": lambda s: s.queue.rescue(NOW, 1, lost),
    "workers.beat": lambda s: s.workers.beat(worker(), NOW, LEASE),
    "workers.expire": lambda s: s.workers.expire(NOW),
    "upkeep.ping": lambda s: s.upkeep.ping(),
    "upkeep.hold": lambda s: s.upkeep.hold("d", new_id(), NOW, NOW),
    "upkeep.migrate": lambda s: s.upkeep.migrate(),
    "upkeep.schema_is_current": lambda s: s.upkeep.schema_is_current(),
    "clock.now": lambda s: s.clock.now(),
}


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize("name", CALLS)
async def test_a_closed_port_is_an_unavailable_store(closed_port: int, name: str) -> None:
    store = open_store(f"postgresql://postgres@127.0.0.1:{closed_port}/postgres")
    with pytest.raises(StoreUnavailable):
        await CALLS[name](store)
    await store.close()


async def test_a_missing_database_is_an_unavailable_store(postgres_url: str) -> None:
    store = open_store(f"{postgres_url}_missing")
    with pytest.raises(StoreUnavailable):
        await store.upkeep.ping()
    await store.close()


async def test_a_sqlite_file_in_a_missing_folder_is_an_unavailable_store(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/none/x.db")
    for call in (CALLS["upkeep.ping"], CALLS["firing.fire"], CALLS["schedules.write"]):
        with pytest.raises(StoreUnavailable):
            await call(store)
    await store.open()
    await store.upkeep.migrate()
    assert await store.schedules.count() == 0
    await store.close()


async def test_a_sqlite_file_that_is_no_database_is_an_unavailable_store(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database at all" * 100)
    store = open_store(f"sqlite:///{tmp_path}/x.db")
    for call in (CALLS["upkeep.ping"], CALLS["firing.fire"], CALLS["schedules.write"]):
        with pytest.raises(StoreUnavailable):
            await call(store)
    await store.close()


@pytest.fixture(params=["postgresql"])
def database_url(postgres_url: str) -> str:
    """What follows concerns PostgreSQL alone."""
    return postgres_url


async def end_backends(url: str) -> int:
    """End every other connection to the database, as a restart or an operator does."""
    others = "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with application(url) as connection:
        ended = await connection.execute(
            sa.text(f"SELECT count(pg_terminate_backend(pid)) FROM {others}")
        )
        while (await connection.execute(sa.text(f"SELECT count(*) FROM {others}"))).scalar_one():
            await connection.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
        return int(ended.scalar_one())


@pytest.mark.parametrize("name", ["firing.fire", "schedules.count", "schedules.write"])
async def test_connections_that_ended_while_idle_cost_at_most_one_call(
    store: Store, database_url: str, name: str
) -> None:
    await together(*(store.schedules.count() for _ in range(5)))
    assert await end_backends(database_url) >= 5
    with contextlib.suppress(StoreUnavailable):
        await CALLS[name](store)
    await together(*(CALLS[name](store) for _ in range(5)))


async def test_a_connection_that_ends_in_a_transaction_is_an_unavailable_store(
    store: Store, database_url: str
) -> None:
    made = await create(store, schedule())

    def decide(current: Schedule | None) -> Edit:
        assert current is not None
        return Edit(current, change(current, "update"))

    async with application(database_url) as theirs, theirs.begin():
        await store.schedules.write(ACME, made.key, decide, connection=theirs)
        waiting = asyncio.create_task(add(store, ACME, made.key))
        await until_blocked(theirs)
        assert await end_waiting(theirs) == 1
        with pytest.raises(StoreUnavailable):
            await waiting
    await add(store, ACME, made.key)
    assert len(await runs_of(store)) == 1


async def end_waiting(connection: Any) -> int:
    ended = sa.text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return int((await connection.execute(ended)).scalar_one())


async def test_a_connection_that_ends_in_a_hot_statement_is_an_unavailable_store(
    store: Store, database_url: str
) -> None:
    offer = await online(store)
    await queue_up(store)
    [run] = await store.queue.claim(offer, NOW)
    async with application(database_url) as theirs, theirs.begin():
        await theirs.execute(sa.text("SELECT FROM tickwright.runs FOR UPDATE"))
        waiting = asyncio.create_task(store.queue.finish([succeeded(run)]))
        await until_blocked(theirs)
        assert await end_waiting(theirs) == 1
        with pytest.raises(StoreUnavailable):
            await waiting
    assert await store.queue.finish([succeeded(run)]) == {run.id}


async def test_a_firing_whose_connection_ends_leaves_nothing_behind(
    store: Store, database_url: str
) -> None:
    """The plan is asked in the middle of the transaction; then the connection is gone."""
    await create(store, schedule())
    async with application(database_url) as theirs, theirs.begin():
        await theirs.execute(sa.text("LOCK TABLE tickwright.runs IN ACCESS EXCLUSIVE MODE"))
        waiting = asyncio.create_task(fire(store, plan=due()))
        await until_blocked(theirs)
        assert await end_waiting(theirs) == 1
        with pytest.raises(StoreUnavailable):
            await waiting
    fired = await fire(store)
    assert (fired.schedules, fired.queued) == (1, 1)


async def test_a_cancelled_call_gives_its_connection_back(store: Store, database_url: str) -> None:
    """A worker that stops, or a client that hangs up, must not eat up the pool."""
    made = await create(store, schedule())
    async with application(database_url) as theirs, theirs.begin():
        await theirs.execute(sa.text("SELECT FROM tickwright.schedules FOR UPDATE"))
        for _ in range(12):
            await cancelled_while_blocked(theirs, add(store, ACME, made.key))
    await together(*(add(store, ACME, made.key) for _ in range(12)))
    assert len(await runs_of(store)) == 12


async def test_a_cancelled_hot_call_gives_its_connection_and_its_locks_back(
    store: Store, another: Another, database_url: str
) -> None:
    offer = await online(store)
    await queue_up(store, 2)
    first, second = await store.queue.claim(offer, NOW)
    await store.queue.finish([succeeded(first)])
    async with application(database_url) as theirs, theirs.begin():
        await theirs.execute(sa.text("SELECT FROM tickwright.schedule_stats FOR UPDATE"))
        for _ in range(12):
            await cancelled_while_blocked(theirs, store.queue.finish([succeeded(second)]))
    async with asyncio.timeout(10):
        assert await another().queue.finish([succeeded(second)]) == {second.id}
        await together(*(store.queue.lift(NOW) for _ in range(12)))


async def cancelled_while_blocked(holder: AsyncConnection, call: Coroutine[Any, Any, Any]) -> None:
    waiting = asyncio.create_task(call)
    await until_blocked(holder)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
