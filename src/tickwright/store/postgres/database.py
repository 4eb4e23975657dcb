"""Connections to PostgreSQL, its clock, and NOTIFY as a hint between processes.

Invariant: every call ends within its deadline, whatever the network does; what was not answered
by then is an unavailable store, and the server ends by itself a transaction nobody goes on with.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakSet

import asyncpg
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tickwright.model.errors import StoreUnavailable
from tickwright.store.schema import Tables

CHANNEL = "tickwright"
_CONNECT_SECONDS = 5.0
_CALL_SECONDS = 9.0
_STATEMENT_SECONDS = 8.0
_LONG_LEASE = timedelta(seconds=45)
_MIGRATION_SECONDS = 3600.0
_CLOSE_SECONDS = 2.0
_PING_SECONDS = 3.0
# The server's own deadlines: a client that is frozen or cut off must not keep its locks. They are
# set in each transaction, because a pooler between us and the server refuses or forgets others.
_BEGIN = (
    "BEGIN; SET LOCAL statement_timeout = {:.0f}; "
    "SET LOCAL idle_in_transaction_session_timeout = {:.0f}"
)
# The hot statements touch at most a batch of rows, each found by an index. Whatever the statistics
# say at the moment, reading a whole table for them is never right, nor is compiling them: that
# takes longer than they do, and what is switched off here seems to cost enough to be worth it.
_FOR_HOT = (
    "; SET LOCAL jit = off; SET LOCAL enable_seqscan = off; "
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; "
    "SET LOCAL enable_material = off; SET LOCAL enable_bitmapscan = off"
)
# Where nothing was open when the table was analysed last, it seems to cost nothing to read and sort
# all that is.
_IN_ORDER = "; SET LOCAL enable_sort = off"
# A plan made while a table was empty walks it, and must not be kept for long when it grows.
_PLAN_SECONDS = 30
_CUT_OFF: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    InterfaceError,
)
_AWAY: tuple[type[BaseException], ...] = (
    *_CUT_OFF,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,
    sa.exc.TimeoutError,
)


def _is(kinds: tuple[type[BaseException], ...], error: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        cause = getattr(error.orig, "__cause__", None)
        return error.connection_invalidated or _is_kind(kinds, cause)
    return _is_kind(kinds, error)


def _is_kind(kinds: tuple[type[BaseException], ...], error: object) -> bool:
    """A value that the driver cannot encode is an InterfaceError too, and says nothing of it."""
    return isinstance(error, kinds) and not isinstance(error, ValueError)


class PostgresDatabase:
    """A pool on one PostgreSQL database; also the clock its processes agree by."""

    dialect = "postgresql"

    def __init__(self, url: URL, *, pool_size: int = 10, lease: timedelta = _LONG_LEASE) -> None:
        # Whoever freezes in a transaction holds rows that others need when his lease is over.
        self._frozen_seconds = min(_CALL_SECONDS, max(1.0, lease.total_seconds() / 2))
        self.tables = Tables(self.dialect)
        self._url = url.set(drivername="postgresql+asyncpg")
        self._idle: WeakSet[Any] = WeakSet()
        self._opened = self._doubted = 0
        self.engine = create_async_engine(
            self._url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_CALL_SECONDS,
            # Transactions are begun by our own statement, which sets their deadlines as well.
            isolation_level="AUTOCOMMIT",
            connect_args={
                "timeout": _CONNECT_SECONDS,
                "max_cached_statement_lifetime": _PLAN_SECONDS,
                "server_settings": {"application_name": "tickwright", "timezone": "UTC"},
            },
        )
        pool = self.engine.sync_engine
        sa.event.listen(pool, "connect", self._number)
        sa.event.listen(pool, "checkout", self._refuse_doubtful)
        sa.event.listen(pool, "checkin", self._keep_idle)

    def _begin(self, statement_seconds: float) -> str:
        return _BEGIN.format(statement_seconds * 1000, self._frozen_seconds * 1000)

    def _number(self, _connection: Any, record: Any) -> None:
        self._opened += 1
        record.info["number"] = self._opened

    def _refuse_doubtful(self, connection: Any, record: Any, _proxy: object) -> None:
        """Make the pool replace a connection that may have ended while it was idle."""
        raw = connection.driver_connection
        self._idle.discard(raw)
        if record.info["number"] <= self._doubted:
            raw.terminate()
        if raw.is_closed():
            raise sa.exc.DisconnectionError

    def _keep_idle(self, connection: Any, _record: Any) -> None:
        if connection is not None:
            self._idle.add(connection.driver_connection)

    def _doubt(self, opened: int) -> None:
        """What broke one connection has probably broken all that were opened before."""
        self._doubted = max(self._doubted, opened)

    @asynccontextmanager
    async def _connected(
        self, seconds: float | None = None
    ) -> AsyncIterator[tuple[AsyncConnection, Any]]:
        """A connection, also as the driver's own, which ends when its time is over."""
        opened, late = self._opened, False

        def end() -> None:
            # Cancelling would wait for the server once more; this ends what waits for it.
            nonlocal late
            late = True
            raw.terminate()

        try:
            async with self.engine.connect() as connection:
                raw: Any = (await connection.get_raw_connection()).driver_connection
                ending = asyncio.get_running_loop().call_later(seconds or _CALL_SECONDS, end)
                try:
                    yield connection, raw
                except BaseException as error:
                    if _is(_AWAY, error) or isinstance(error, asyncio.CancelledError):
                        await connection.invalidate()
                    raise
                finally:
                    ending.cancel()
        except Exception as error:
            if _is(_CUT_OFF, error):
                self._doubt(opened)
            if _is(_AWAY, error):
                reason = "no answer in time" if late else f"{type(error).__name__} {error}".strip()
                raise StoreUnavailable(f"PostgreSQL cannot be reached: {reason}") from error
            raise

    @asynccontextmanager
    async def _transaction(
        self, begin: str, seconds: float | None = None
    ) -> AsyncIterator[tuple[AsyncConnection, Any]]:
        async with self._connected(seconds) as (connection, raw):
            await raw.execute(begin)
            try:
                yield connection, raw
            except Exception:
                # A cancelled or broken connection is not used again; the server rolls it back.
                if not raw.is_closed():
                    await raw.execute("ROLLBACK")
                raise
            await raw.execute("COMMIT")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        async with self._transaction(self._begin(_STATEMENT_SECONDS)) as (own, _):
            yield own

    @asynccontextmanager
    async def write(
        self, connection: AsyncConnection | None = None
    ) -> AsyncIterator[AsyncConnection]:
        if connection is not None:
            yield connection
            return
        async with self._transaction(self._begin(_STATEMENT_SECONDS)) as (own, _):
            yield own

    @asynccontextmanager
    async def migration(self) -> AsyncIterator[AsyncConnection]:
        begin = self._begin(_MIGRATION_SECONDS)
        async with self._transaction(begin, _MIGRATION_SECONDS) as (own, _):
            yield own

    @asynccontextmanager
    async def hot(self, *, in_order: bool = False) -> AsyncIterator[Any]:
        settings = _FOR_HOT + (_IN_ORDER if in_order else "")
        async with self._transaction(self._begin(_STATEMENT_SECONDS) + settings) as (_, raw):
            yield raw

    @asynccontextmanager
    async def glance(self) -> AsyncIterator[Any]:
        async with self.hot() as raw:
            yield raw

    async def notify(self, connection: AsyncConnection, topic: str) -> None:
        await connection.execute(sa.select(sa.func.pg_notify(CHANNEL, topic)))

    async def now(self) -> datetime:
        """The database's wall clock: machines with wrong clocks still agree."""
        async with self._connected() as (_, raw):
            moment: datetime = await raw.fetchval("SELECT clock_timestamp()")
            return moment.astimezone(UTC)

    async def watch(self, wake: Callable[[str], None]) -> None:
        """Listen on a connection of its own; after each reconnect everything may have changed."""
        while True:
            try:
                await self._listen(wake)
            except _AWAY as error:
                if _is(_CUT_OFF, error):
                    self._doubt(self._opened)
                await asyncio.sleep(random.uniform(0.5, 2.0))

    async def _listen(self, wake: Callable[[str], None]) -> None:
        dsn = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(
            dsn, timeout=_CONNECT_SECONDS, command_timeout=_PING_SECONDS
        )
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, lambda *message: wake(str(message[-1])))
            wake("due")
            wake("ready")
            while True:
                # A peer that vanished without a word is found out only by asking it something.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PING_SECONDS):
                        await lost.wait()
                await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    async def open(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    async def close(self) -> None:
        # The pool would wait for each server's goodbye, one after the other and without end.
        farewells = (raw.close(timeout=_CLOSE_SECONDS) for raw in list(self._idle))
        await asyncio.gather(*farewells, return_exceptions=True)
        await self.engine.dispose()
