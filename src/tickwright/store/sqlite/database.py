"""Connections to SQLite: one writer per process, readers beside it, WAL, no lost commit."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tickwright.model.errors import InvalidInput, StoreUnavailable
from tickwright.store.schema import Tables
from tickwright.store.sqlite.driver import Driver, Drivers

OLDEST = (3, 38)
_BUSY_SECONDS = 10
_CALL_SECONDS = 12.0
_MIGRATION_SECONDS = 3600.0
_NOTICE_SECONDS = 0.5
_RETURN_SECONDS = 1.0
_PRAGMAS = (
    f"busy_timeout = {_BUSY_SECONDS * 1000}",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
)


def _is_away(error: Exception) -> bool:
    """Whether the file is locked, missing, full or no database, which has no type of its own."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    locked = isinstance(cause, sqlite3.OperationalError | sa.exc.TimeoutError)
    return locked or type(cause) is sqlite3.DatabaseError


class SqliteDatabase:
    """One SQLite file (or memory, for tests), written by one connection per process."""

    dialect = "sqlite"

    def __init__(self, url: URL) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise InvalidInput("databaseUrl", f"SQLite {OLDEST[0]}.{OLDEST[1]} or later is needed")
        self.tables = Tables(self.dialect)
        self._path = url.database
        self._url = url.set(drivername="sqlite+aiosqlite")
        self.in_memory = not self._path or self._path == ":memory:"
        self.writer = self._engine(size=1, begin="BEGIN IMMEDIATE")
        self.reader = self.writer if self.in_memory else self._engine(size=4, begin="BEGIN")

    def _engine(self, size: int, begin: str) -> AsyncEngine:
        # What is in memory is gone with its connection, and waits for nothing.
        drivers = Drivers(size, None if self.in_memory else _CALL_SECONDS, _PRAGMAS)
        engine = create_async_engine(
            self._url,
            poolclass=sa.AsyncAdaptedQueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=_BUSY_SECONDS,
            connect_args={"timeout": _BUSY_SECONDS, "async_creator_fn": drivers.connect},
        )
        sa.event.listen(engine.sync_engine, "begin", lambda c: c.exec_driver_sql(begin))
        return engine

    @asynccontextmanager
    async def _connected(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            async with engine.connect() as connection:
                yield connection
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            if not _is_away(error):
                raise
            raise StoreUnavailable(f"SQLite cannot be used: {error}") from error

    @asynccontextmanager
    async def _bare(self, engine: AsyncEngine) -> AsyncIterator[Driver]:
        """The driver's own connection, which is not used again once it hangs."""
        async with self._connected(engine) as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            try:
                yield raw
            finally:
                if raw.hangs:
                    await connection.invalidate()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        async with self._connected(self.reader) as connection:
            yield connection

    @asynccontextmanager
    async def write(
        self, connection: AsyncConnection | None = None
    ) -> AsyncIterator[AsyncConnection]:
        if connection is not None:
            yield connection
            return
        async with self._connected(self.writer) as own, own.begin():
            yield own

    @asynccontextmanager
    async def migration(self) -> AsyncIterator[AsyncConnection]:
        async with self._connected(self.writer) as own:
            raw: Any = (await own.get_raw_connection()).driver_connection
            with raw.patient(_MIGRATION_SECONDS):
                async with own.begin():
                    yield own

    @asynccontextmanager
    async def hot(self, *, in_order: bool = False) -> AsyncIterator[Any]:
        async with self._bare(self.writer) as raw:
            await raw.execute("BEGIN IMMEDIATE")
            try:
                yield raw
            except BaseException:
                await raw.rollback()
                raise
            await raw.commit()

    @asynccontextmanager
    async def glance(self) -> AsyncIterator[Any]:
        async with self._bare(self.reader) as raw:
            yield raw

    async def notify(self, connection: AsyncConnection, topic: str) -> None:
        """Nothing to do: other processes see the data version change."""

    async def watch(self, wake: Callable[[str], None]) -> None:
        """Notice the commits of other processes through `PRAGMA data_version`."""
        if self.in_memory:
            await asyncio.Event().wait()
        while True:
            try:
                await self._notice(wake)
            except StoreUnavailable:
                await asyncio.sleep(_RETURN_SECONDS)

    async def _notice(self, wake: Callable[[str], None]) -> None:
        seen = None
        async with self._bare(self.reader) as raw:
            while True:
                cursor = await raw.execute("PRAGMA data_version")
                row = await cursor.fetchone()
                if row != seen:
                    seen = row
                    wake("due")
                    wake("ready")
                    wake("cancel")
                await asyncio.sleep(_NOTICE_SECONDS)

    async def open(self) -> None:
        """Make the folder, so that a first start needs no preparation."""
        if not self.in_memory and self._path:
            await asyncio.to_thread(Path(self._path).parent.mkdir, parents=True, exist_ok=True)

    async def close(self) -> None:
        await self.writer.dispose()
        if self.reader is not self.writer:
            await self.reader.dispose()
