"""Runs that wait for a limit, and how much of their rates jobs have used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LIMITED = "status = 'queued' AND gate = 'limit'"
_WAITING_IN = (
    *("scope_key", "job_key", "limit_key", "queue", "coalesce(handler, '')"),
    *("priority DESC", "run_at"),
)
_USING = "status = 'running' AND limit_key IS NOT NULL"
_RUNNING_IN = ("scope_key", "job_key", "limit_key")


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    prefix, schema = ("", "tickwright") if postgres else ("tickwright_", None)
    moment = sa.DateTime(timezone=True) if postgres else sa.BigInteger()
    json = postgresql.JSONB() if postgres else sa.JSON()
    runs = prefix + "runs"
    op.add_column(runs, sa.Column("limit_key", sa.Text), schema=schema)
    _index(f"{prefix}runs_limited", runs, _WAITING_IN, _LIMITED, schema)
    _index(f"{prefix}runs_using", runs, _RUNNING_IN, _USING, schema)
    op.create_table(
        prefix + "rates",
        sa.Column("scope_key", sa.Text, primary_key=True),
        sa.Column("job_key", sa.Text, primary_key=True),
        sa.Column("limit_key", sa.Text, primary_key=True),
        sa.Column("used", json, nullable=False),
        sa.Column("opens_at", moment),
        sa.Column("expires_at", moment, nullable=False),
        schema=schema,
    )
    rates = prefix + "rates"
    _index(f"{prefix}rates_opening", rates, ("opens_at",), "opens_at IS NOT NULL", schema)
    op.create_index(f"{prefix}rates_expiry", rates, ["expires_at"], schema=schema)


def _index(name: str, table: str, on: tuple[str, ...], where: str, schema: str | None) -> None:
    columns, clause = [sa.text(each) for each in on], sa.text(where)
    op.create_index(
        name, table, columns, schema=schema, postgresql_where=clause, sqlite_where=clause
    )
