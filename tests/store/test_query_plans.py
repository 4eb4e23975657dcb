"""What the databases make of the statements that must stay quick however much there is."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import asyncpg
import pytest
import pytest_asyncio

from tests.databases import PostgresServer
from tickwright.model.run import Cause, Claimed, RunStatus
from tickwright.model.scope import tenant
from tickwright.store import open_store
from tickwright.store.base import NewRun, Offer, Store
from tickwright.store.database import new_id
from tickwright.store.postgres.hot import PostgresStatements
from tickwright.store.queries import RunQuery, ScheduleQuery
from tickwright.store.queue import _row
from tickwright.store.sqlite.hot import SqliteStatements

from .plans import LARGE, RUNS, TENANTS, Explaining, fill, listening, numbered
from .support import ACME, DAY, MINUTE, NOW, SECOND, succeeded, worker

SCOPE = tenant("t3")
OWNERS = [numbered(n) for n in range(1, 301)]
RUNNING = [numbered(1000 * n + 57) for n in range(100)]
OFFER = Offer(numbered(1), ("default",), ("work",), 500)
OPEN_RUNS = RUNS // 1000 * 62 + 10
"""What seldom asks may look at all of: where nothing ran when the table was analysed, it does."""
Hot = Callable[[PostgresStatements, Any], Awaitable[Any]]
Asked = Callable[[Store], Awaitable[Any]]


def _ended() -> list[tuple[Any, ...]]:
    runs = [
        Claimed(key, ACME, numbered(1), "k", "j", Cause.SCHEDULE, NOW, NOW, {}, {}, 1, 1)
        for key in RUNNING
    ]
    return [_row(succeeded(run)) for run in runs]


_FIRED = ("queued", None, NOW + DAY, None, 1, True, "default", 5, None, 0, None, None)
HOT: dict[str, tuple[Hot, set[str], int]] = {
    "due": (lambda s, c: s.due(c, NOW, 200), {"schedule_cursors_due", "schedules_pkey"}, 200),
    "open_runs": (lambda s, c: s.open_runs(c, OWNERS), {"runs_open"}, 300),
    "make_way": (lambda s, c: s.make_way(c, OWNERS, NOW), {"runs_open", "runs_pkey"}, 300),
    "may_claim": (lambda s, c: s.may_claim(c, numbered(1), NOW), {"workers_pkey"}, 1),
    "insert_runs": (
        lambda s, c: s.insert_runs(c, [(new_id(), key, *_FIRED) for key in OWNERS]),
        {"schedules_pkey"},
        300,
    ),
    "advance": (
        lambda s, c: s.advance(c, [(key, NOW + DAY, NOW, 2, False, None) for key in OWNERS]),
        {"schedule_cursors_pkey"},
        300,
    ),
    "complete these": (lambda s, c: s.complete(c, OWNERS, NOW), {"runs_open"}, 300),
    "complete all": (
        lambda s, c: s.complete(c, None, NOW),
        {"schedule_cursors_spent", "runs_open"},
        100,
    ),
    "next_due": (lambda s, c: s.next_due(c), {"schedule_cursors_due", "runs_waiting"}, 1),
    "lift": (lambda s, c: s.lift(c, NOW), {"runs_waiting", "runs_pkey"}, 1000),
    "take": (
        lambda s, c: s.take(c, "t3", OFFER, NOW),
        {"runs_claim", "runs_pkey", "schedules_pkey"},
        500,
    ),
    "mark_started": (
        lambda s, c: s.mark_started(c, [(key, 1, 1, NOW) for key in RUNNING]),
        {"runs_pkey"},
        100,
    ),
    "finish": (lambda s, c: s.finish(c, _ended()), {"runs_pkey"}, 100),
    "ended_schedules": (lambda s, c: s.ended_schedules(c, OWNERS), {"schedules_pkey"}, 300),
    "held": (lambda s, c: s.held(c, numbered(1)), set(), OPEN_RUNS),
    "orphans": (lambda s, c: s.orphans(c, NOW, 100), {"runs_pkey"}, OPEN_RUNS),
    "count_running": (lambda s, c: s.count_running(c, [("job", "t3", "j", "")]), set(), 0),
}
_AGAIN = NewRun(Cause.MANUAL, request_key="r")
DENSE = 20 * TENANTS * 2
"""A page of a tenant that has much of everything may be picked out of what is newest of all."""
LISTS: dict[str, tuple[Asked, set[str], int]] = {
    "runs": (lambda s: s.runs.find(SCOPE, RunQuery(20)), set(), DENSE),
    "runs further on": (lambda s: s.runs.find(SCOPE, RunQuery(20, 400)), set(), 21 * DENSE),
    "no runs": (lambda s: s.runs.find(tenant("new"), RunQuery(20)), {"runs_history"}, 0),
    "runs of a schedule": (
        lambda s: s.runs.find(SCOPE, RunQuery(20, schedule_id=numbered(24))),
        {"runs_occurrence"},
        20,
    ),
    "runs that succeeded": (
        lambda s: s.runs.find(SCOPE, RunQuery(20, statuses=[RunStatus.SUCCEEDED])),
        set(),
        DENSE,
    ),
    "one run": (lambda s: s.runs.get(SCOPE, numbered(3)), set(), 1),
    "a start by hand": (
        lambda s: s.runs.add(SCOPE, "key-303", _AGAIN, now=NOW),
        {"schedules_key", "runs_request", "schedule_cursors_pkey"},
        5,
    ),
    "schedules": (
        lambda s: s.schedules.find(SCOPE, ScheduleQuery(20)),
        {"schedule_cursors_pkey", "schedule_stats_pkey"},
        DENSE,
    ),
    "no schedules": (
        lambda s: s.schedules.find(tenant("new"), ScheduleQuery(20)),
        {"schedules_list"},
        0,
    ),
    "schedules by key": (
        lambda s: s.schedules.find(SCOPE, ScheduleQuery(20, order="key")),
        {"schedules_key", "schedule_cursors_pkey"},
        60,
    ),
    "one schedule": (lambda s: s.schedules.get(SCOPE, "key-3"), {"schedules_key"}, 1),
    "its days": (
        lambda s: s.schedules.days(SCOPE, numbered(3), NOW.date()),
        {"run_days_pkey"},
        5,
    ),
    "a heartbeat": (
        lambda s: s.workers.beat(worker(id=numbered(1)), NOW, MINUTE),
        set(),
        OPEN_RUNS,
    ),
    "pruning": (lambda s: s.upkeep.prune_old(NOW, 50_000 * SECOND, 100), {"runs_pkey"}, 900),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["busy", "idle"])
async def large(
    postgres_server: PostgresServer, request: pytest.FixtureRequest
) -> AsyncIterator[Store]:
    with postgres_server.database(migrated=True) as url:
        connection = await asyncpg.connect(url)
        await fill(connection, NOW, analysed=request.param)
        await connection.close()
        store = open_store(url)
        yield store
        await store.close()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", HOT)
async def test_a_hot_statement_touches_what_it_asks_for(large: Store, name: str) -> None:
    ask, indexes, most = HOT[name]
    async with cast(Any, large.firing)._database.hot(in_order=name == "take") as c:
        explaining = Explaining(c)
        await ask(PostgresStatements(), explaining)
    for plan in explaining.plans:
        assert not plan.compiled
        assert not plan.scanned
        assert indexes <= plan.indexes, plan.tree
        assert plan.read <= most, plan.tree


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", LISTS)
async def test_a_list_reads_its_page(large: Store, name: str) -> None:
    ask, indexes, most = LISTS[name]
    database = cast(Any, large.firing)._database
    with listening(database.engine.sync_engine) as sent:
        await ask(large)
    async with database.read() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        explaining = Explaining(raw, hot=False)
        for sql, args in sent:
            await explaining.execute(sql, *args)
    used = set().union(*(plan.indexes for plan in explaining.plans))
    assert indexes <= used, [(plan.sql[-300:], plan.indexes) for plan in explaining.plans[::7]]
    for plan in explaining.plans:
        assert not plan.scanned, plan.tree
        assert plan.read <= most, plan.tree


class _Explained:
    """A SQLite connection on which statements are explained instead, and find nothing."""

    description = ()
    rowcount = 0

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.steps: list[str] = []

    async def execute(self, sql: str, values: tuple[Any, ...] = ()) -> _Explained:
        rows = self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
        self.steps += [row[3].replace("tickwright_", "") for row in rows]
        return self

    async def fetchall(self) -> list[Any]:
        return []

    async def fetchone(self) -> tuple[None]:
        return (None,)

    async def close(self) -> None:
        """Nothing was opened."""


PARTIAL = {"runs_claim", "runs_running", "schedule_cursors_spent"}
"""Indexes that hold only what is under way, and may be read from end to end."""
SQLITE_LISTS = ("runs", "runs of a schedule", "schedules", "schedules by key")


@pytest.mark.parametrize("name", [*HOT, *SQLITE_LISTS])
async def test_sqlite_goes_by_an_index(sqlite_url: str, name: str) -> None:
    store = open_store(sqlite_url)
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        explained = _Explained(connection)
        if name in HOT:
            await HOT[name][0](cast(Any, SqliteStatements()), explained)
        else:
            database = cast(Any, store.firing)._database
            with listening(database.reader.sync_engine) as sent:
                await LISTS[name][0](store)
            for sql, args in sent:
                await explained.execute(sql, args)
    await store.close()
    indexes = {index for index in (HOT | LISTS)[name][1] if not index.endswith("_pkey")}
    used = {word for step in explained.steps for word in step.split()}
    assert indexes <= used, explained.steps
    scans = [step.split() for step in explained.steps if step.startswith("SCAN")]
    tables = ({step[1] for step in scans if step[-1] not in PARTIAL}) - {"c", "u", "v"}
    assert not tables & {"r", "s", *LARGE}, explained.steps
