"""What one simulated process sees of the database: the real stores over a wire that can fail.

Invariant: whatever happens on the wire, a transaction is rolled back or committed as a whole; an
error after its commit is the only one that leaves its caller wrong about it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tests.simulation.loop import Lane
from tests.simulation.server import TABLES, Server, Transaction, Weather
from tickwright.model.errors import StoreUnavailable
from tickwright.store.base import Store
from tickwright.store.calendars import SqlCalendars
from tickwright.store.changes import SqlChanges
from tickwright.store.firing import SqlFiring
from tickwright.store.jobs import SqlJobs
from tickwright.store.queue import SqlQueue
from tickwright.store.reports import SqlReports
from tickwright.store.runs import SqlRuns
from tickwright.store.schedules import SqlSchedules
from tickwright.store.sqlite.hot import SqliteStatements
from tickwright.store.upkeep import SqlUpkeep
from tickwright.store.workers import SqlWorkers

Meet = Callable[[str], Any]
"""What a process meets at a named point of its way: nothing, or something to await."""


def calm(_: str) -> None:
    """Nothing happens."""


class Wire:
    """The way between one process and the server."""

    def __init__(self, server: Server, lane: Lane, meet: Meet = calm) -> None:
        self.server = server
        self.lane = lane
        self._meet = meet

    async def travel(self, point: str) -> None:
        """One way, during which other processes go on and anything can happen to this one."""
        met = self._meet(point)
        if met is not None:
            await met
        server = self.server
        delay = server.delay()
        if delay:
            await server.loop.pause(delay)
        await server.reached()


class Cursor:
    """The rows of a bare statement, fetched already."""

    __slots__ = ("_rows", "description", "rowcount")

    def __init__(self, found: Any) -> None:
        self.description = found.description
        self._rows = found.fetchall()
        self.rowcount = found.rowcount

    async def fetchall(self) -> list[Any]:
        rows: list[Any] = self._rows
        return rows

    async def fetchone(self) -> Any:
        return self._rows[0] if self._rows else None

    async def close(self) -> None:
        """There is nothing to let go of."""


class Connection:
    """One transaction, for the bare statements and for SQLAlchemy's."""

    def __init__(self, wire: Wire, transaction: Transaction) -> None:
        self.transaction = transaction
        self._wire = wire

    @property
    def dialect(self) -> sa.Dialect:
        return self._wire.server.composed.dialect

    async def execute(self, statement: Any, values: Any = ()) -> Any:
        await self.arrive("execute")
        server = self._wire.server
        if isinstance(statement, str):
            result: Any = Cursor(server.raw.execute(statement, values))
        else:
            result = server.composed.execute(statement, values or None)
        self.note(statement)
        return result

    async def arrive(self, point: str) -> None:
        await self._wire.travel(point)
        if self.transaction.aborted:
            raise StoreUnavailable("the connection was closed by the server")

    def note(self, what: Any) -> None:
        server, transaction = self._wire.server, self.transaction
        server.trace.append(
            (server.loop.time(), self._wire.lane.name, transaction.number, _named(what))
        )


def _named(what: Any) -> str:
    if isinstance(what, str):
        return what if len(what) < 20 else what.partition("\n")[0]
    table = getattr(what, "table", None)
    name = f" {table.name}" if isinstance(table, sa.Table) else ""
    return f"{what.__visit_name__}{name}"


class SimulatedDatabase:
    """One process's `Database`."""

    dialect = "sqlite"
    tables = TABLES

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def glance(self) -> AbstractAsyncContextManager[Any]:
        return self.hot()

    @asynccontextmanager
    async def hot(self, *, in_order: bool = False) -> AsyncIterator[Any]:
        wire = self._wire
        await wire.travel("begin")
        transaction = await wire.server.begin(wire.lane)
        connection = Connection(wire, transaction)
        try:
            yield connection
            await connection.arrive("commit")
        except asyncio.CancelledError as error:
            wire.server.rollback(transaction)
            if wire.server.weather is not Weather.FINE:
                # As with a real driver, whose ROLLBACK gets no answer either.
                raise StoreUnavailable("the rollback was not answered") from error
            raise
        except BaseException:
            wire.server.rollback(transaction)
            raise
        wire.server.commit(transaction)
        connection.note("COMMIT")
        await wire.travel("committed")

    def read(self) -> Any:
        return self.hot()

    @asynccontextmanager
    async def write(self, connection: Any = None) -> AsyncIterator[Any]:
        if connection is not None:
            yield connection
            return
        async with self.hot() as own:
            yield own

    async def notify(self, connection: Any, topic: str) -> None:
        connection.transaction.topics.append(topic)

    async def now(self) -> datetime:
        """The server's clock, asked as any other question is."""
        await self._wire.travel("clock")
        now = self._wire.server.now
        await self._wire.travel("told")
        return now

    async def watch(self, wake: Callable[[str], None]) -> None:
        wire = self._wire
        await wire.travel("listen")
        wire.server.listen(wire.lane, wake)
        await wire.server.loop.create_future()


class Statements(SqliteStatements):
    """SQLite's statements, with notifications such as PostgreSQL has."""

    async def notify(self, c: Any, topic: str) -> None:
        c.transaction.topics.append(topic)


async def nothing() -> None:
    """There is nothing to open or to close."""


def store_over(wire: Wire, firing: type[SqlFiring] = SqlFiring) -> Store:
    """The real store of one process."""
    database: Any = SimulatedDatabase(wire)
    statements = Statements()
    return Store(
        schedules=SqlSchedules(database),
        jobs=SqlJobs(database),
        calendars=SqlCalendars(database),
        runs=SqlRuns(database),
        reports=SqlReports(database),
        changes=SqlChanges(database),
        firing=firing(database, statements),
        queue=SqlQueue(database, statements),
        reporting=SqlReports(database),
        workers=SqlWorkers(database),
        upkeep=SqlUpkeep(database),
        clock=database,
        watch=database.watch,
        open=nothing,
        close=nothing,
        dialect=database.dialect,
    )
