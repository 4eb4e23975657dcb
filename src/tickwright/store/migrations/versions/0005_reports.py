"""What runs tell while they run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    schema = "tickwright" if postgres else None
    prefix = "" if postgres else "tickwright_"
    moment = sa.DateTime(timezone=True) if postgres else sa.BigInteger()
    op.create_table(
        f"{prefix}run_reports",
        sa.Column("run_id", sa.Uuid(), primary_key=True),
        sa.Column("attempt", sa.Integer(), primary_key=True),
        sa.Column("lease_token", sa.Integer(), nullable=False),
        sa.Column("done", sa.Double()),
        sa.Column("total", sa.Double()),
        sa.Column("message", sa.Text()),
        sa.Column("told_at", moment),
        sa.Column("processed", sa.BigInteger()),
        sa.Column("succeeded", sa.BigInteger()),
        sa.Column("failed", sa.BigInteger()),
        sa.Column("lines_dropped", sa.BigInteger(), nullable=False),
        schema=schema,
    )
    op.create_table(
        f"{prefix}run_logs",
        sa.Column("run_id", sa.Uuid(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("logger", sa.Text()),
        sa.Column("text", sa.Text(), nullable=False),
        schema=schema,
    )
