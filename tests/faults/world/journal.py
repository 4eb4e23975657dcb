"""A journal that the database itself keeps of every row that is written, and its reading.

Invariant: an entry is written by a trigger in the transaction that made the change, so there is
one for every committed change and none for any other.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from tests.faults.judge.history import Entry, Row
from tickwright.store.schema import POSTGRES_SCHEMA, SQLITE_PREFIX, Moment, Tables

WATCHED = (
    "runs",
    "schedules",
    "schedule_cursors",
    "workers",
    "schedule_stats",
    "run_days",
    "changes",
    "attempts",
)
# SQLite tells the millisecond; its end is never before what happened in it.
SQLITE_CLOCK = "(julianday('now') - 2440587.5) * 86400.0 + 0.001"
SQLITE_JOURNAL = "witness_journal"
_MICROSECONDS = 1_000_000
_BUSY_SECONDS = 30
_POSTGRES = """
CREATE SCHEMA witness;
CREATE TABLE witness.journal (
  seq bigserial PRIMARY KEY, at timestamptz NOT NULL, "table" text NOT NULL, old jsonb, new jsonb
);
CREATE FUNCTION witness.write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO witness.journal (at, "table", old, new) VALUES (
    clock_timestamp(), TG_TABLE_NAME,
    CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
    CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END
  );
  RETURN NULL;
END $$;
"""
# Only a server that keeps the times of commits knows them; asking another is an error.
_COMMITTED = """
extract(epoch FROM CASE WHEN current_setting('track_commit_timestamp') = 'on'
                   THEN pg_xact_commit_timestamp(xmin) END)::float8
"""
Convert = Callable[[Any], Any]
_tables = cache(Tables)


async def install(url: str) -> None:
    """Begin the journal of a migrated database."""
    if _is_postgres(url):
        await _run_postgres(url)
        return
    with closing(_connect(url)) as connection:
        connection.executescript(sqlite_script())


async def clear(url: str) -> None:
    """Delete every row and every entry, so that a PostgreSQL database can be used again."""
    names = [table.fullname for table in _tables("postgresql").metadata.sorted_tables]
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"TRUNCATE witness.journal, {', '.join(names)} RESTART IDENTITY")
    finally:
        await connection.close()


async def read(url: str) -> tuple[list[Entry], dict[str, list[Row]]]:
    """All entries in order, and every row of every table, of one moment."""
    if _is_postgres(url):
        return await _read_postgres(url)
    with closing(_connect(url)) as connection:
        return read_sqlite(connection)


def sqlite_script(clock: str = SQLITE_CLOCK) -> str:
    """Table and triggers for SQLite; `clock` is an expression for seconds since 1970."""
    tables = _tables("sqlite")
    return "".join([_SQLITE_TABLE, *(_triggers(name, tables, clock) for name in WATCHED)])


def read_sqlite(connection: sqlite3.Connection) -> tuple[list[Entry], dict[str, list[Row]]]:
    """The same as `read`, on a connection that is open already."""
    tables = _tables("sqlite")
    connection.execute("BEGIN")
    try:
        kept = connection.execute(f"SELECT * FROM {SQLITE_JOURNAL} ORDER BY seq").fetchall()
        rows = {
            name: [json.loads(text) for (text,) in connection.execute(_select(table))]
            for name, table in _named(tables).items()
        }
    finally:
        connection.execute("ROLLBACK")
    return _converted(tables, kept, rows)


def _is_postgres(url: str) -> bool:
    return make_url(url).get_backend_name() == "postgresql"


def _named(tables: Tables) -> dict[str, sa.Table]:
    """Every table by its name without schema or prefix."""
    return {t.name.removeprefix(tables.prefix): t for t in tables.metadata.sorted_tables}


async def _run_postgres(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(_POSTGRES)
            for name in WATCHED:
                await connection.execute(
                    f"CREATE TRIGGER witness AFTER INSERT OR UPDATE OR DELETE"
                    f" ON {POSTGRES_SCHEMA}.{name}"
                    f" FOR EACH ROW EXECUTE FUNCTION witness.write()"
                )
    finally:
        await connection.close()


async def _read_postgres(url: str) -> tuple[list[Entry], dict[str, list[Row]]]:
    tables = _tables("postgresql")
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            kept = await connection.fetch(
                'SELECT seq, extract(epoch FROM at)::float8, "table", old::text, new::text,'
                f" {_COMMITTED} FROM witness.journal ORDER BY seq"
            )
            rows = {
                name: [
                    json.loads(row[0])
                    for row in await connection.fetch(
                        f"SELECT to_jsonb(t)::text FROM {POSTGRES_SCHEMA}.{name} t"
                    )
                ]
                for name in _named(tables)
            }
    finally:
        await connection.close()
    return _converted(tables, kept, rows)


_SQLITE_TABLE = f"""
CREATE TABLE {SQLITE_JOURNAL} (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, "table" TEXT NOT NULL, old TEXT, new TEXT
);
"""


def _triggers(name: str, tables: Tables, clock: str) -> str:
    table = _named(tables)[name]
    sides = {
        "INSERT": ("NULL", _object(table, "NEW")),
        "UPDATE": (_object(table, "OLD"), _object(table, "NEW")),
        "DELETE": (_object(table, "OLD"), "NULL"),
    }
    return "".join(
        f"CREATE TRIGGER witness_{name}_{event} AFTER {event} ON {SQLITE_PREFIX}{name} BEGIN\n"
        f'  INSERT INTO {SQLITE_JOURNAL} (at, "table", old, new)\n'
        f"  VALUES ({clock}, '{name}', {old}, {new});\n"
        f"END;\n"
        for event, (old, new) in sides.items()
    )


def _object(table: sa.Table, row: str) -> str:
    """A JSON object of all columns; what is JSON already is not wrapped in text again."""
    pairs = (
        f"'{c.name}', json({row}.\"{c.name}\")"
        if _is_json(c)
        else f"'{c.name}', {row}.\"{c.name}\""
        for c in table.columns
    )
    return f"json_object({', '.join(pairs)})"


def _is_json(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.JSON)


def _select(table: sa.Table) -> str:
    return f"SELECT {_object(table, table.name)} FROM {table.name}"


def _connect(url: str) -> sqlite3.Connection:
    path = make_url(url).database
    assert path is not None
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)


def _converted(
    tables: Tables, kept: list[Any], rows: dict[str, list[Row]]
) -> tuple[list[Entry], dict[str, list[Row]]]:
    by_table = {name: dict(_conversions(table)) for name, table in _named(tables).items()}
    journal = [
        Entry(seq, at, name, _row(old, by_table[name]), _row(new, by_table[name]), *committed)
        for seq, at, name, old, new, *committed in kept
    ]
    return journal, {
        name: [_convert(row, by_table[name]) for row in found] for name, found in rows.items()
    }


def _conversions(table: sa.Table) -> Iterator[tuple[str, Convert]]:
    for column in table.columns:
        if isinstance(column.type, Moment):
            yield column.name, _seconds
        elif isinstance(column.type, sa.Uuid):
            yield column.name, _digits
        elif isinstance(column.type, sa.Boolean):
            yield column.name, bool


def _row(text: str | None, conversions: dict[str, Convert]) -> Row | None:
    return None if text is None else _convert(json.loads(text), conversions)


def _convert(row: Row, conversions: dict[str, Convert]) -> Row:
    for name, convert in conversions.items():
        if row[name] is not None:
            row[name] = convert(row[name])
    return row


def _seconds(moment: str | int) -> float:
    if isinstance(moment, int):
        return moment / _MICROSECONDS
    return datetime.fromisoformat(moment).astimezone(UTC).timestamp()


def _digits(key: str) -> str:
    return key.replace("-", "")
