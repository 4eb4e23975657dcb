"""Migrations, single duties, pruning."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from tickwright.store.answers import Pruned
from tickwright.store.database import Database
from tickwright.store.pruning import prune_excess, prune_old
from tickwright.store.schema import POSTGRES_SCHEMA, SQLITE_PREFIX

VERSION_TABLE = "migrations"
_ALEMBIC = threading.Lock()


class SqlUpkeep:
    """The upkeep contract in statements both dialects share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def migrate(self) -> None:
        async with _alembic(), self._database.migration() as c:
            await c.run_sync(_upgrade)

    async def schema_is_current(self) -> bool:
        async with self._database.read() as c:
            return bool(await c.run_sync(_is_current))

    async def ping(self) -> None:
        async with self._database.read() as c:
            await c.execute(sa.select(1))

    async def hold(self, duty: str, holder: UUID, now: datetime, until: datetime) -> bool:
        try:
            return await self._hold(duty, holder, now, until)
        except IntegrityError:
            # Another process was the first ever to take this duty, at the same moment.
            return False

    async def _hold(self, duty: str, holder: UUID, now: datetime, until: datetime) -> bool:
        t = self._database.tables.duties
        mine = sa.or_(t.c.holder == holder, t.c.until <= now)
        async with self._database.write() as c:
            taken = sa.update(t).where(t.c.name == duty, mine).values(holder=holder, until=until)
            if (await c.execute(taken)).rowcount:
                return True
            absent = ~sa.exists().where(t.c.name == duty)
            values = sa.select(
                sa.literal(duty), sa.literal(holder, sa.Uuid), sa.literal(until, t.c.until.type)
            ).where(absent)
            inserted = sa.insert(t).from_select(["name", "holder", "until"], values)
            return bool((await c.execute(inserted)).rowcount)

    async def holder(self, duty: str, now: datetime) -> UUID | None:
        t = self._database.tables.duties
        statement = sa.select(t.c.holder).where(t.c.name == duty, t.c.until > now)
        async with self._database.read() as c:
            found: UUID | None = (await c.execute(statement)).scalar_one_or_none()
        return found

    async def prune_old(
        self, now: datetime, keep: timedelta, limit: int, after: UUID | None = None
    ) -> Pruned:
        return await prune_old(self._database, now, keep, limit, after)

    async def prune_excess(self, most: int, limit: int, after: UUID | None = None) -> Pruned:
        return await prune_excess(self._database, most, limit, after)


@asynccontextmanager
async def _alembic() -> AsyncIterator[None]:
    """Alembic keeps the migration under way in module globals: one per process at a time."""
    while not _ALEMBIC.acquire(blocking=False):  # noqa: ASYNC110 - its locks belong to one loop
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        _ALEMBIC.release()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "tickwright:store/migrations")
    config.attributes["connection"] = connection
    return config


def _context(connection: Connection) -> MigrationContext:
    postgres = connection.dialect.name == "postgresql"
    return MigrationContext.configure(
        connection,
        opts={
            "version_table": VERSION_TABLE if postgres else SQLITE_PREFIX + VERSION_TABLE,
            "version_table_schema": POSTGRES_SCHEMA if postgres else None,
        },
    )


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # One migrator at a time; the others wait here and then find nothing left to do.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('tickwright.migrate'))"))
        connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {POSTGRES_SCHEMA}"))
    upgrade(_config(connection), "head")


def _is_current(connection: Connection) -> bool:
    head = ScriptDirectory.from_config(_config(connection)).get_current_head()
    return _context(connection).get_current_revision() == head
