"""Runs the migrations on the connection that the store hands over."""

from __future__ import annotations

from alembic import context

from tickwright.store.schema import POSTGRES_SCHEMA, SQLITE_PREFIX

connection = context.config.attributes["connection"]
postgres = connection.dialect.name == "postgresql"
context.configure(
    connection=connection,
    version_table="migrations" if postgres else f"{SQLITE_PREFIX}migrations",
    version_table_schema=POSTGRES_SCHEMA if postgres else None,
)
with context.begin_transaction():
    context.run_migrations()
