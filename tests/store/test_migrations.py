"""The schema: built by migrations, the same as the one the code describes."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tests import databases
from tests.databases import PostgresServer
from tickwright.store import open_store
from tickwright.store.base import Store
from tickwright.store.schema import POSTGRES_SCHEMA, Tables

from .support import ACME, application, create, schedule, together

Definitions = set[tuple[str, ...]]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = open_store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def test_an_empty_database_is_not_current_until_it_is_migrated(
    bare_database_url: str,
) -> None:
    async with opened(bare_database_url) as store:
        assert not await store.upkeep.schema_is_current()
        await store.upkeep.migrate()
        assert await store.upkeep.schema_is_current()


async def test_migrating_again_changes_nothing(bare_database_url: str) -> None:
    async with opened(bare_database_url) as store:
        await store.upkeep.migrate()
        made = await create(store, schedule())
        before = await definitions(bare_database_url)
        await store.upkeep.migrate()
        assert await store.schedules.get(ACME, made.key) == made
    assert await definitions(bare_database_url) == before


async def test_several_stores_may_migrate_at_once(bare_database_url: str) -> None:
    stores = [open_store(bare_database_url) for _ in range(4)]
    try:
        await together(*(store.upkeep.migrate() for store in stores))
        for store in stores:
            assert await store.upkeep.schema_is_current()
    finally:
        for store in stores:
            await store.close()


async def test_one_process_may_migrate_several_databases_at_once(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with (
        postgres_server.database(migrated=False) as one,
        postgres_server.database(migrated=False) as two,
    ):
        files = [databases.sqlite_url(tmp_path / f"{name}.db") for name in ("one", "two")]
        stores = [open_store(url) for url in (one, two, *files)]
        try:
            await together(*(store.upkeep.migrate() for store in stores))
            for store in stores:
                assert await store.upkeep.schema_is_current()
                assert await store.schedules.count() == 0
        finally:
            for store in stores:
                await store.close()


_MIGRATE = """
import asyncio, sys
from tickwright.store import open_store

async def main():
    store = open_store(sys.argv[1])
    await store.open()
    await store.upkeep.migrate()
    assert await store.upkeep.schema_is_current()
    await store.close()

asyncio.run(main())
"""


async def test_several_processes_may_migrate_at_once(bare_database_url: str) -> None:
    command = [sys.executable, "-c", _MIGRATE, bare_database_url]
    running = [
        await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE) for _ in range(3)
    ]
    told = [await process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], told


async def test_migrations_build_what_the_code_describes(
    bare_database_url: str, postgres_url: str, sqlite_url: str
) -> None:
    await create_all(bare_database_url)
    described = await definitions(bare_database_url)
    migrated = await definitions(postgres_url if "postgresql" in bare_database_url else sqlite_url)
    assert described == {each for each in migrated if "migrations" not in each[0]}
    kinds = {each[1] for each in described}
    assert kinds == {"column", "index"}


async def create_all(url: str) -> None:
    dialect = "postgresql" if "postgresql" in url else "sqlite"
    async with application(url) as connection, connection.begin():
        if dialect == "postgresql":
            await connection.execute(sa.schema.CreateSchema(POSTGRES_SCHEMA))
        await connection.run_sync(Tables(dialect).metadata.create_all)


async def definitions(url: str) -> Definitions:
    """Every column and every index with its predicate, as the database itself tells it."""
    async with application(url) as connection:
        if connection.dialect.name == "postgresql":
            return await _postgres_definitions(connection)
        return await _sqlite_definitions(connection)


async def _postgres_definitions(c: AsyncConnection) -> Definitions:
    columns = sa.text(
        "SELECT c.relname, 'column', a.attname, format_type(a.atttypid, a.atttypmod),"
        " a.attnotnull::text, coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attnum::text"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum"
        f" WHERE c.relnamespace = '{POSTGRES_SCHEMA}'::regnamespace AND c.relkind = 'r'"
        " AND a.attnum > 0 AND NOT a.attisdropped"
    )
    indexes = sa.text(
        "SELECT tablename, 'index', indexname, indexdef FROM pg_indexes"
        f" WHERE schemaname = '{POSTGRES_SCHEMA}'"
    )
    return {tuple(row) for each in (columns, indexes) for row in await c.execute(each)}


async def _sqlite_definitions(c: AsyncConnection) -> Definitions:
    columns = sa.text(
        "SELECT m.name, 'column', x.name, x.type, x.\"notnull\", x.dflt_value, x.cid, x.pk"
        " FROM sqlite_master m JOIN pragma_table_xinfo(m.name) x WHERE m.type = 'table'"
    )
    indexes = sa.text("SELECT tbl_name, 'index', name, sql FROM sqlite_master WHERE type = 'index'")
    found = [*await c.execute(columns), *await c.execute(indexes)]
    return {tuple(re.sub(r"\s+", " ", str(value)) for value in row) for row in found}


async def test_the_comparison_would_notice_a_lost_predicate(bare_database_url: str) -> None:
    async with opened(bare_database_url) as store:
        await store.upkeep.migrate()
    told = {each[2]: each[3] for each in await definitions(bare_database_url) if each[1] == "index"}
    [claim] = [text for name, text in told.items() if name.endswith("runs_claim")]
    assert "DESC" in claim
    assert "gate IS NULL" in claim
