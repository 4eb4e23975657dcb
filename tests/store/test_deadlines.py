"""No call waits for ever: a database that hangs is unavailable, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from tests.databases import LoopThread
from tests.faults.world.processes import until
from tests.faults.world.proxy import Proxy
from tickwright.model.errors import StoreUnavailable
from tickwright.model.plan import Due, Plan
from tickwright.store import open_store
from tickwright.store.base import Store
from tickwright.store.postgres import PostgresDatabase
from tickwright.store.sqlite import SqliteDatabase

from .support import ACME, NOW, create, due, fire, runs_of, schedule, together
from .test_outages import CALLS

POSTGRES = "tickwright.store.postgres.database"
SQLITE = "tickwright.store.sqlite.database"
DEADLINE = 0.8
CONNECTING = 2.0
SLACK = 5.0
LOCK = "LOCK TABLE tickwright.runs IN ACCESS EXCLUSIVE MODE"
NEVER_ENDING = (
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c"
)


@pytest.fixture
async def impatient(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(f"{POSTGRES}._CALL_SECONDS", DEADLINE)
    monkeypatch.setattr(f"{POSTGRES}._PING_SECONDS", DEADLINE)
    monkeypatch.setattr(f"{POSTGRES}._CONNECT_SECONDS", CONNECTING)
    monkeypatch.setattr(f"{SQLITE}._CALL_SECONDS", DEADLINE)
    yield
    # A thread that hung answers its loop in the end, which must not be closed by then.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 3)


@pytest.fixture
async def proxy(postgres_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(postgres_url) as between:
        yield between


@pytest.fixture
async def hanging(proxy: Proxy, impatient: None) -> AsyncIterator[Store]:
    """A store with open connections whose database can be made to hang."""
    store = open_store(proxy.url, pool_size=len(CALLS))
    await together(*(store.upkeep.ping() for _ in CALLS))
    yield store
    proxy.flow()
    await store.close()


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    began = monotonic()
    yield
    assert monotonic() - began < seconds


async def refused(*calls: Any) -> None:
    """All of them end, and each as an unavailable store."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(answer) for answer in answers} == {StoreUnavailable}


async def test_every_call_to_a_database_that_hangs_ends_in_time(
    hanging: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{POSTGRES}._MIGRATION_SECONDS", DEADLINE)
    proxy.stall()
    with at_most(DEADLINE + SLACK):
        await refused(*(call(hanging) for call in CALLS.values()))


async def test_connecting_to_a_database_that_hangs_ends_in_time(
    proxy: Proxy, impatient: None
) -> None:
    store = open_store(proxy.url)
    proxy.stall()
    with at_most(CONNECTING + SLACK):
        await refused(*(store.upkeep.ping() for _ in range(3)))
    await store.close()


async def test_calls_that_wait_for_a_free_connection_end_in_time(
    hanging: Store, proxy: Proxy
) -> None:
    proxy.stall()
    with at_most(DEADLINE + CONNECTING + SLACK):
        await refused(*(hanging.upkeep.ping() for _ in range(3 * len(CALLS))))


async def test_the_store_is_whole_again_once_the_database_answers(
    hanging: Store, proxy: Proxy
) -> None:
    proxy.stall()
    await refused(*(hanging.upkeep.ping() for _ in CALLS))
    proxy.flow()
    with at_most(SLACK):
        await together(*(hanging.upkeep.ping() for _ in range(2 * len(CALLS))))


async def test_one_connection_that_hangs_casts_doubt_on_those_that_were_idle(
    hanging: Store, proxy: Proxy, postgres_url: str
) -> None:
    before = await backends(postgres_url)
    proxy.stall()
    await refused(hanging.upkeep.ping())
    proxy.flow()
    await together(*(hanging.upkeep.ping() for _ in CALLS))
    assert not before & await backends(postgres_url)


async def backends(url: str) -> set[int]:
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    connection = await asyncpg.connect(url)
    try:
        return {row["pid"] for row in await connection.fetch(others)}
    finally:
        await connection.close()


async def test_a_commit_whose_answer_never_came_is_unknown_and_fires_once(
    hanging: Store, proxy: Proxy
) -> None:
    await create(hanging, schedule())

    def plan(each: Due) -> Plan:
        proxy.stall()
        return due()(each)

    await refused(fire(hanging, plan=plan))
    proxy.flow()
    await fire(hanging)
    assert [run.nominal_at for run in await runs_of(hanging)] == [NOW]


async def test_closing_does_not_wait_for_a_database_that_hangs(
    hanging: Store, proxy: Proxy
) -> None:
    proxy.stall()
    with at_most(2 + SLACK):
        await hanging.close()


async def test_a_listener_whose_database_hangs_lets_go_and_listens_again(
    proxy: Proxy, postgres_url: str, impatient: None
) -> None:
    """Nothing breaks the connection: only asking over it tells that nobody is there."""
    store = open_store(proxy.url)
    told: asyncio.Queue[str] = asyncio.Queue()
    watching = asyncio.ensure_future(store.watch(told.put_nowait))
    async with asyncio.timeout(20):
        assert [await told.get(), await told.get()] == ["due", "ready"]
        proxy.stall()
        await until(lambda: proxy.connections > 1, 10, "it tries to connect again")
        assert told.empty()
        proxy.flow()
        assert [await told.get(), await told.get()] == ["due", "ready"]
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await store.close()


async def test_a_listener_outlives_its_pings(postgres_url: str, impatient: None) -> None:
    store = open_store(postgres_url)
    told: asyncio.Queue[str] = asyncio.Queue()
    watching = asyncio.ensure_future(store.watch(told.put_nowait))
    async with asyncio.timeout(20):
        assert [await told.get(), await told.get()] == ["due", "ready"]
        await asyncio.wait({watching}, timeout=2.5 * DEADLINE)
        assert told.empty()
        await create(store, schedule())
        assert await told.get() == "due"
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await store.close()


async def test_the_server_takes_back_what_a_frozen_process_holds(
    postgres_url: str, impatient: None
) -> None:
    """The process is alive and its connection unbroken, but it does not go on."""
    await freeze_and_lose_the_lock(PostgresDatabase(make_url(postgres_url)), postgres_url)


async def test_it_takes_it_back_before_a_short_lease_is_over(postgres_url: str) -> None:
    database = PostgresDatabase(make_url(postgres_url), lease=timedelta(seconds=2))
    with at_most(1 + SLACK):
        await freeze_and_lose_the_lock(database, postgres_url)


async def freeze_and_lose_the_lock(database: PostgresDatabase, url: str) -> None:
    elsewhere = LoopThread()

    async def freeze_with_a_lock() -> None:
        async with database.hot() as c:
            await c.execute(LOCK)
            # Until this answers, the loop stands still.
            elsewhere.run(lock_in_another_process(url))
            await c.execute("SELECT 1")

    with pytest.raises(StoreUnavailable):
        await freeze_with_a_lock()
    elsewhere.close()
    await database.close()


async def lock_in_another_process(url: str) -> None:
    connection = await asyncpg.connect(url)
    async with asyncio.timeout(20), connection.transaction():
        await connection.execute(LOCK)
    await connection.close()


async def execute(database: Any, way: str, statement: str) -> None:
    async with getattr(database, way)() as c:
        await c.execute(statement if way == "hot" else sa.text(statement))


@pytest.mark.parametrize("way", ["hot", "write", "read"])
async def test_the_server_ends_statements_that_take_too_long(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(f"{POSTGRES}._STATEMENT_SECONDS", DEADLINE)
    database = PostgresDatabase(make_url(postgres_url))
    with at_most(5), pytest.raises(StoreUnavailable, match="statement timeout"):
        await execute(database, way, "SELECT pg_sleep(8)")
    await database.close()


async def test_changing_the_schema_has_more_time_than_a_call(
    bare_database_url: str, impatient: None
) -> None:
    await open_store(bare_database_url).open()
    database: Any = (
        PostgresDatabase(make_url(bare_database_url))
        if "postgresql" in bare_database_url
        else SqliteDatabase(make_url(bare_database_url))
    )
    long = "SELECT pg_sleep(1.5)" if "postgresql" in bare_database_url else _counting(10_000_000)
    async with database.migration() as c:
        await c.execute(sa.text(long))
    await database.close()


def _counting(to: int) -> str:
    return NEVER_ENDING.replace("FROM c)", f"FROM c WHERE n < {to})", 1)


@contextmanager
def write_lock(url: str) -> Iterator[None]:
    """Inside the block nobody else can write to the SQLite file."""
    holder = sqlite3.connect(make_url(url).database or "", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.rollback()
        holder.close()


async def test_a_driver_that_hangs_is_given_up_and_not_asked_again(
    sqlite_url: str, impatient: None
) -> None:
    store = open_store(sqlite_url)
    await create(store, schedule("before"))
    with write_lock(sqlite_url):
        with at_most(DEADLINE + SLACK):
            await refused(fire(store))
        threads = threading.active_count()
        for key in ("lost", "lost too", "lost as well"):
            await refused(create(store, schedule(key)))
        assert threading.active_count() == threads
        assert await store.schedules.count() == 1
    await until_writable(store)
    await create(store, schedule("after"))
    assert set(await store.schedules.armed(ACME)) == {"before", "after"}
    await store.close()


async def until_writable(store: Store) -> None:
    await until_available(lambda: store.workers.expire(NOW))


async def until_available(call: Callable[[], Awaitable[Any]]) -> None:
    """Ask again until there is an answer: the thread that hung needs a moment to let go."""
    async with asyncio.timeout(30):
        while True:
            with suppress(StoreUnavailable):
                await call()
                return
            await asyncio.sleep(0)


async def test_the_transaction_of_a_driver_that_hung_does_not_stay_open(
    sqlite_url: str, impatient: None
) -> None:
    """Its thread gets the lock after all when nobody waits for it any more."""
    store = open_store(sqlite_url)
    with write_lock(sqlite_url):
        await refused(fire(store))
    other = open_store(sqlite_url)
    await until_writable(other)
    await until_writable(store)
    await together(store.close(), other.close())


@pytest.mark.parametrize("way", ["hot", "write", "read"])
async def test_a_query_without_end_is_interrupted(
    sqlite_url: str, impatient: None, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    database = SqliteDatabase(make_url(sqlite_url))
    for _ in range(5):
        with at_most(DEADLINE + SLACK), pytest.raises(StoreUnavailable, match="no answer"):
            await execute(database, way, NEVER_ENDING)
    await until_available(lambda: execute(database, way, "SELECT 1"))
    assert caplog.text == ""
    await database.close()


async def test_a_driver_that_hung_while_it_connected_is_not_in_the_way_later(
    tmp_path: Path, impatient: None
) -> None:
    """A fresh file is changed to WAL first, which whoever holds it can hold up."""
    holder = sqlite3.connect(tmp_path / "fresh.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    database = SqliteDatabase(make_url(f"sqlite:///{tmp_path / 'fresh.db'}"))
    with pytest.raises(StoreUnavailable):
        async with database.write():
            pass
    holder.rollback()
    holder.close()
    gc.disable()
    try:
        await until_available(lambda: _written(database))
    finally:
        gc.enable()
    await database.close()


async def _written(database: SqliteDatabase) -> None:
    async with database.write() as c:
        await c.execute(sa.text("CREATE TABLE IF NOT EXISTS written (id int)"))
