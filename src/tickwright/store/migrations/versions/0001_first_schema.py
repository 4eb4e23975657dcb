"""The first schema: schedules, their cursors and counters, runs, workers, changes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _schedules()
    _schedule_cursors()
    _schedule_stats()
    _run_days()
    _jobs()
    _runs()
    _attempts()
    _workers()
    _changes()
    _duties()


def _postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _moment() -> sa.types.TypeEngine[Any]:
    return sa.DateTime(timezone=True) if _postgres() else sa.BigInteger()


def _json() -> sa.types.TypeEngine[Any]:
    return postgresql.JSONB() if _postgres() else sa.JSON()


def _table(name: str, *columns: sa.schema.SchemaItem) -> None:
    schema = "tickwright" if _postgres() else None
    op.create_table(name if schema else f"tickwright_{name}", *columns, schema=schema)


def _index(name: str, table: str, on: list[Any], unique: bool = False, where: str = "") -> None:
    schema = "tickwright" if _postgres() else None
    prefix = "" if schema else "tickwright_"
    clause = sa.text(where) if where else None
    op.create_index(
        prefix + name,
        prefix + table,
        on,
        unique=unique,
        schema=schema,
        postgresql_where=clause,
        sqlite_where=clause,
    )


def _schedules() -> None:
    _table(
        "schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope_key", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("job_key", sa.Text(), nullable=False),
        sa.Column("trigger", _json(), nullable=False),
        sa.Column("target", _json(), nullable=False),
        sa.Column("payload", _json(), nullable=False),
        sa.Column("handler", sa.Text()),
        sa.Column("starts_at", _moment()),
        sa.Column("ends_at", _moment()),
        sa.Column("max_runs", sa.BigInteger()),
        sa.Column("misfire", sa.Text(), nullable=False),
        sa.Column("overlap", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text()),
        sa.Column("name", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("category", sa.Text()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text()),
        sa.Column("metadata", _json(), nullable=False),
        sa.Column("registered", _json(), nullable=False),
        sa.Column("override", _json(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("updated_at", _moment(), nullable=False),
        sa.Column("deleted_at", _moment()),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("schedules_job", "schedules", ["scope_key", "job_key"], where="deleted_at IS NULL")
    _index(
        "schedules_key", "schedules", ["scope_key", "key"], unique=True, where="deleted_at IS NULL"
    )
    _index("schedules_list", "schedules", ["scope_key", "id"], where="deleted_at IS NULL")
    _index("schedules_status", "schedules", ["scope_key", "status"], where="deleted_at IS NULL")


def _schedule_cursors() -> None:
    _table(
        "schedule_cursors",
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("next_run_at", _moment()),
        sa.Column("decided_through", _moment()),
        sa.Column("fired_count", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.Boolean(), nullable=False),
        sa.Column("parked", sa.Text()),
        sa.PrimaryKeyConstraint("schedule_id"),
    )
    _index(
        "schedule_cursors_due", "schedule_cursors", ["next_run_at"], where="next_run_at IS NOT NULL"
    )
    _index("schedule_cursors_spent", "schedule_cursors", ["schedule_id"], where="spent")


def _schedule_stats() -> None:
    _table(
        "schedule_stats",
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("run_count", sa.BigInteger(), nullable=False),
        sa.Column("success_count", sa.BigInteger(), nullable=False),
        sa.Column("failure_count", sa.BigInteger(), nullable=False),
        sa.Column("failure_streak", sa.BigInteger(), nullable=False),
        sa.Column("last_run_at", _moment()),
        sa.Column("last_success_at", _moment()),
        sa.Column("last_status", sa.Text()),
        sa.Column("last_duration_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("schedule_id"),
    )


def _run_days() -> None:
    _table(
        "run_days",
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("succeeded", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("cancelled", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("items_processed", sa.BigInteger(), nullable=False),
        sa.Column("items_succeeded", sa.BigInteger(), nullable=False),
        sa.Column("items_failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "day"),
    )


def _jobs() -> None:
    _table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope_key", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("policy", _json(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("jobs_key", "jobs", ["scope_key", "key"], unique=True)


def _runs() -> None:
    _table(
        "runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope_key", sa.Text(), nullable=False),
        sa.Column("schedule_id", sa.Uuid()),
        sa.Column("job_key", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("handler", sa.Text()),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("own_key", sa.Text(), nullable=False),
        sa.Column("request_key", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("gate", sa.Text()),
        sa.Column("nominal_at", _moment(), nullable=False),
        sa.Column("through_at", _moment()),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("run_at", _moment(), nullable=False),
        sa.Column("target", _json()),
        sa.Column("payload", _json()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lost_count", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Uuid()),
        sa.Column("lease_token", sa.Integer(), nullable=False),
        sa.Column("started_at", _moment()),
        sa.Column("finished_at", _moment()),
        sa.Column("error", sa.Text()),
        sa.Column("result", _json()),
        sa.Column("items_processed", sa.BigInteger(), nullable=False),
        sa.Column("items_succeeded", sa.BigInteger(), nullable=False),
        sa.Column("items_failed", sa.BigInteger(), nullable=False),
        sa.Column("triggered_by", sa.Text()),
        sa.Column("cancel_requested_at", _moment()),
        sa.PrimaryKeyConstraint("id"),
    )
    _run_indexes()


def _run_indexes() -> None:
    _index("runs_history", "runs", ["scope_key", "id"])
    _index("runs_occurrence", "runs", ["schedule_id", "nominal_at", "own_key"], unique=True)
    _index("runs_open", "runs", ["schedule_id"], where="status IN ('queued', 'running')")
    _index(
        "runs_request",
        "runs",
        ["scope_key", "request_key"],
        unique=True,
        where="request_key IS NOT NULL",
    )
    _index("runs_running", "runs", ["worker_id"], where="status = 'running'")
    _index("runs_waiting", "runs", ["run_at"], where="status = 'queued' AND gate = 'time'")
    _index(
        "runs_claim",
        "runs",
        ["scope_key", sa.text("priority DESC"), "run_at"],
        where="status = 'queued' AND gate IS NULL",
    )


def _attempts() -> None:
    _table(
        "attempts",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.Uuid()),
        sa.Column("started_at", _moment()),
        sa.Column("finished_at", _moment(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("run_id", "attempt"),
    )


def _workers() -> None:
    _table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("queues", _json(), nullable=False),
        sa.Column("handlers", _json(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", _moment(), nullable=False),
        sa.Column("heartbeat_at", _moment(), nullable=False),
        sa.Column("lease_until", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _changes() -> None:
    _table(
        "changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope_key", sa.Text(), nullable=False),
        sa.Column("at", _moment(), nullable=False),
        sa.Column("actor", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("resource_key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("before", _json()),
        sa.Column("after", _json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("changes_list", "changes", ["scope_key", "id"])
    _index("changes_resource", "changes", ["resource_id", "id"])


def _duties() -> None:
    _table(
        "duties",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=False),
        sa.Column("until", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
