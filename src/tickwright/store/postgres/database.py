"""Connections to PostgreSQL, its clock, and NOTIFY as a hint between processes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tickwright.model.errors import StoreUnavailable
from tickwright.store.schema import Tables

CHANNEL = "tickwright"
_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 60
# The hot statements touch at most a batch of rows, each found by an index. Whatever the statistics
# say at the moment, reading a whole table for them is never right.
_BEGIN_HOT = (
    "BEGIN; SET LOCAL enable_seqscan = off; "
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
)
_AWAY: tuple[type[BaseException], ...] = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,
    InterfaceError,
    TimeoutError,
    sa.exc.TimeoutError,
)


def _is_away(error: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        cause = getattr(error.orig, "__cause__", None)
        return error.connection_invalidated or isinstance(cause, _AWAY)
    return isinstance(error, _AWAY)


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Make the pool replace a connection that the server ended while it was idle."""
    if connection.driver_connection.is_closed():
        raise sa.exc.DisconnectionError


class PostgresDatabase:
    """A pool on one PostgreSQL database; also the clock its processes agree by."""

    dialect = "postgresql"

    def __init__(self, url: URL, *, pool_size: int = 10) -> None:
        self.tables = Tables(self.dialect)
        self._url = url.set(drivername="postgresql+asyncpg")
        self.engine = create_async_engine(
            self._url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_CONNECT_SECONDS * 2,
            connect_args={
                "timeout": _CONNECT_SECONDS,
                "command_timeout": _STATEMENT_SECONDS,
                "server_settings": {"application_name": "tickwright", "timezone": "UTC"},
            },
        )
        sa.event.listen(self.engine.sync_engine, "checkout", _refuse_closed)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self.engine.connect() as connection:
                try:
                    yield connection
                except BaseException as error:
                    if _is_away(error) or isinstance(error, asyncio.CancelledError):
                        await connection.invalidate()
                    raise
        except Exception as error:
            if _is_away(error):
                raise StoreUnavailable(f"PostgreSQL cannot be reached: {error}") from error
            raise

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        async with self._connected() as connection:
            yield connection

    @asynccontextmanager
    async def write(
        self, connection: AsyncConnection | None = None
    ) -> AsyncIterator[AsyncConnection]:
        if connection is not None:
            yield connection
            return
        async with self._connected() as own, own.begin():
            yield own

    @asynccontextmanager
    async def hot(self) -> AsyncIterator[Any]:
        async with self._connected() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.execute(_BEGIN_HOT)
            try:
                yield raw
            except Exception:
                # A cancelled or broken connection is not used again; the server rolls it back.
                if not raw.is_closed():
                    await raw.execute("ROLLBACK")
                raise
            await raw.execute("COMMIT")

    async def notify(self, connection: AsyncConnection, topic: str) -> None:
        await connection.execute(sa.select(sa.func.pg_notify(CHANNEL, topic)))

    async def now(self) -> datetime:
        """The database's wall clock: machines with wrong clocks still agree."""
        async with self._connected() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            moment: datetime = await raw.fetchval("SELECT clock_timestamp()")
            return moment.astimezone(UTC)

    async def watch(self, wake: Callable[[str], None]) -> None:
        """Listen on a connection of its own; after each reconnect everything may have changed."""
        while True:
            try:
                await self._listen(wake)
            except _AWAY:
                await asyncio.sleep(random.uniform(0.5, 2.0))

    async def _listen(self, wake: Callable[[str], None]) -> None:
        dsn = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS)
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, lambda *message: wake(str(message[-1])))
            wake("due")
            wake("ready")
            await lost.wait()
        finally:
            connection.terminate()
        raise ConnectionError("the listening connection ended")

    async def open(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    async def close(self) -> None:
        await self.engine.dispose()
