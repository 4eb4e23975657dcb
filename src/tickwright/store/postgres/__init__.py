"""PostgreSQL 13 and later, through asyncpg."""

from tickwright.store.postgres.database import PostgresDatabase
from tickwright.store.postgres.hot import PostgresStatements

__all__ = ["PostgresDatabase", "PostgresStatements"]
