"""What watches runs and keeps them: circuits, lateness, starts by hand, retention by job."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from tickwright.store.schema import Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    schema = "tickwright" if postgres else None
    prefix = "" if postgres else "tickwright_"

    def add(table: str, *columns: sa.Column[Any]) -> None:
        for column in columns:
            op.add_column(prefix + table, column, schema=schema)

    def index(name: str, table: str, columns: list[str], where: str) -> None:
        clause = sa.text(where)
        op.create_index(
            prefix + name,
            prefix + table,
            columns,
            schema=schema,
            postgresql_where=clause,
            sqlite_where=clause,
        )

    # The defaults let the release before this one go on writing rows.
    yes = sa.Column("allow_manual", sa.Boolean, nullable=False, server_default=sa.true())
    add("schedules", yes)
    none = sa.Column("circuit_streak", sa.BigInteger, nullable=False, server_default="0")
    add("schedule_stats", none, sa.Column("tripped_at", Moment))
    add(
        "jobs",
        sa.Column("sla_start_ms", sa.BigInteger),
        sa.Column("keep_for_ms", sa.BigInteger),
        sa.Column("keep_last", sa.Integer),
    )
    op.create_table(
        f"{prefix}sweeps",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("through", Moment, nullable=False),
        schema=schema,
    )
    index("schedule_stats_tripped", "schedule_stats", ["schedule_id"], "tripped_at IS NOT NULL")
    index("jobs_sla", "jobs", ["sla_start_ms"], "sla_start_ms IS NOT NULL")
    index("jobs_keep", "jobs", ["keep_for_ms"], "keep_for_ms IS NOT NULL")
    index("runs_failures", "runs", ["schedule_id", "id"], "status IN ('failed', 'dead')")
