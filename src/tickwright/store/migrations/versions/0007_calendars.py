"""Calendars: which days are working days."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    prefix, schema = ("", "tickwright") if postgres else ("tickwright_", None)
    calendars = prefix + "calendars"
    op.create_table(
        calendars,
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("scope_key", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("definition", postgresql.JSONB() if postgres else sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        schema=schema,
    )
    op.create_index(f"{calendars}_key", calendars, ["scope_key", "key"], unique=True, schema=schema)
