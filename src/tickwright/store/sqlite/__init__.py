"""SQLite 3.38 and later on a local disk, through aiosqlite."""

from tickwright.store.sqlite.database import SqliteDatabase
from tickwright.store.sqlite.hot import SqliteStatements

__all__ = ["SqliteDatabase", "SqliteStatements"]
