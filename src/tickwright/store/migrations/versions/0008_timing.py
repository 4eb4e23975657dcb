"""Calendars, windows and jitter of schedules, and cursors that walk instants apart from times."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tickwright.store.schema import Json, Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    prefix, schema = ("", "tickwright") if postgres else ("tickwright_", None)
    op.add_column(prefix + "schedules", sa.Column("timing", Json), schema=schema)
    op.add_column(prefix + "schedule_cursors", sa.Column("next_nominal", Moment), schema=schema)
    timed = sa.text("timing IS NOT NULL")
    op.create_index(
        f"{prefix}schedules_timed",
        prefix + "schedules",
        ["id"],
        schema=schema,
        postgresql_where=timed,
        sqlite_where=timed,
    )
