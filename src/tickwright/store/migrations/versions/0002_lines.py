"""Runs that wait in line for an earlier one's end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    schema = "tickwright" if postgres else None
    prefix = "" if postgres else "tickwright_"
    # The default lets the release before this one go on creating schedules.
    limit = sa.Column("overlap_limit", sa.Integer, nullable=False, server_default="1")
    op.add_column(f"{prefix}schedules", limit, schema=schema)
    in_line = sa.text("status = 'queued' AND gate = 'overlap'")
    op.create_index(
        f"{prefix}runs_in_line",
        f"{prefix}runs",
        ["schedule_id"],
        schema=schema,
        postgresql_where=in_line,
        sqlite_where=in_line,
    )
