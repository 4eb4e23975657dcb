"""Runs that repeat an earlier one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    table = "runs" if postgres else "tickwright_runs"
    schema = "tickwright" if postgres else None
    op.add_column(table, sa.Column("replay_of", sa.Uuid), schema=schema)
