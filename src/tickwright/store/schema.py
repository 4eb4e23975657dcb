"""The tables, once for both dialects; migrations build the same, and a test compares them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

POSTGRES_SCHEMA = "tickwright"
SQLITE_PREFIX = "tickwright_"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


class Moment(TypeDecorator[datetime]):
    """An aware UTC moment: TIMESTAMPTZ on PostgreSQL, integer microseconds on SQLite."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        return dialect.type_descriptor(sa.BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if dialect.name == "postgresql" else from_micros(value)


Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
OPEN = "status IN ('queued', 'running')"
READY = "status = 'queued' AND gate IS NULL"
WAITING = "status = 'queued' AND gate = 'time'"
LIMITED = "status = 'queued' AND gate = 'limit'"
USING = "status = 'running' AND limit_key IS NOT NULL"
IN_LINE = "status = 'queued' AND gate = 'overlap'"
RUNNING = "status = 'running'"
FAILURE = "status IN ('failed', 'dead')"


class Tables:
    """The tables by name, for one dialect: a schema of its own on PostgreSQL, else a prefix."""

    def __init__(self, dialect: str) -> None:
        postgres = dialect == "postgresql"
        self.metadata = sa.MetaData(schema=POSTGRES_SCHEMA if postgres else None)
        self.prefix = "" if postgres else SQLITE_PREFIX
        self.schedules = self._schedules()
        self.cursors = self._cursors()
        self.stats = self._stats()
        self.days = self._days()
        self.jobs = self._jobs()
        self.calendars = self._calendars()
        self.runs = self._runs()
        self.attempts = self._attempts()
        self.reports = self._reports()
        self.logs = self._logs()
        self.workers = self._workers()
        self.changes = self._changes()
        self.duties = self._duties()
        self.rates = self._rates()
        self.sweeps = self._sweeps()

    def _table(self, name: str, *items: sa.schema.SchemaItem) -> sa.Table:
        return sa.Table(self.prefix + name, self.metadata, *items)

    def _index(self, name: str, *on: str | sa.TextClause, **options: Any) -> sa.Index:
        where = options.pop("where", None)
        if where is not None:
            clause = sa.text(where)
            options |= {"postgresql_where": clause, "sqlite_where": clause}
        return sa.Index(f"{self.prefix}{name}", *on, **options)

    def _schedules(self) -> sa.Table:
        return self._table(
            "schedules",
            sa.Column("id", sa.Uuid, primary_key=True),
            sa.Column("scope_key", sa.Text, nullable=False),
            sa.Column("key", sa.Text, nullable=False),
            sa.Column("job_key", sa.Text, nullable=False),
            sa.Column("trigger", Json, nullable=False),
            sa.Column("target", Json, nullable=False),
            sa.Column("payload", Json, nullable=False),
            sa.Column("handler", sa.Text),
            sa.Column("starts_at", Moment),
            sa.Column("ends_at", Moment),
            sa.Column("max_runs", sa.BigInteger),
            sa.Column("misfire", sa.Text, nullable=False),
            sa.Column("overlap", sa.Text, nullable=False),
            sa.Column("status", sa.Text, nullable=False),
            sa.Column("status_reason", sa.Text),
            sa.Column("name", sa.Text),
            sa.Column("description", sa.Text),
            sa.Column("category", sa.Text),
            sa.Column("source", sa.Text, nullable=False),
            sa.Column("created_by", sa.Text),
            sa.Column("metadata", Json, nullable=False),
            sa.Column("registered", Json, nullable=False),
            sa.Column("override", Json, nullable=False),
            sa.Column("version", sa.Integer, nullable=False),
            sa.Column("created_at", Moment, nullable=False),
            sa.Column("updated_at", Moment, nullable=False),
            sa.Column("deleted_at", Moment),
            sa.Column("overlap_limit", sa.Integer, nullable=False, server_default="1"),
            sa.Column("allow_manual", sa.Boolean, nullable=False, server_default=sa.true()),
            self._index(
                "schedules_key", "scope_key", "key", unique=True, where="deleted_at IS NULL"
            ),
            self._index("schedules_list", "scope_key", "id", where="deleted_at IS NULL"),
            self._index("schedules_status", "scope_key", "status", where="deleted_at IS NULL"),
            self._index("schedules_job", "scope_key", "job_key", where="deleted_at IS NULL"),
        )

    def _cursors(self) -> sa.Table:
        return self._table(
            "schedule_cursors",
            sa.Column("schedule_id", sa.Uuid, primary_key=True),
            sa.Column("next_run_at", Moment),
            sa.Column("decided_through", Moment),
            sa.Column("fired_count", sa.BigInteger, nullable=False),
            sa.Column("spent", sa.Boolean, nullable=False),
            sa.Column("parked", sa.Text),
            self._index("schedule_cursors_due", "next_run_at", where="next_run_at IS NOT NULL"),
            self._index("schedule_cursors_spent", "schedule_id", where="spent"),
        )

    def _stats(self) -> sa.Table:
        return self._table(
            "schedule_stats",
            sa.Column("schedule_id", sa.Uuid, primary_key=True),
            sa.Column("run_count", sa.BigInteger, nullable=False),
            sa.Column("success_count", sa.BigInteger, nullable=False),
            sa.Column("failure_count", sa.BigInteger, nullable=False),
            sa.Column("failure_streak", sa.BigInteger, nullable=False),
            sa.Column("last_run_at", Moment),
            sa.Column("last_success_at", Moment),
            sa.Column("last_status", sa.Text),
            sa.Column("last_duration_ms", sa.BigInteger),
            sa.Column("circuit_streak", sa.BigInteger, nullable=False, server_default="0"),
            sa.Column("tripped_at", Moment),
            self._index("schedule_stats_tripped", "schedule_id", where="tripped_at IS NOT NULL"),
        )

    def _days(self) -> sa.Table:
        return self._table(
            "run_days",
            sa.Column("schedule_id", sa.Uuid, primary_key=True),
            sa.Column("day", sa.Date, primary_key=True),
            sa.Column("succeeded", sa.BigInteger, nullable=False),
            sa.Column("failed", sa.BigInteger, nullable=False),
            sa.Column("cancelled", sa.BigInteger, nullable=False),
            sa.Column("duration_ms", sa.BigInteger, nullable=False),
            sa.Column("items_processed", sa.BigInteger, nullable=False),
            sa.Column("items_succeeded", sa.BigInteger, nullable=False),
            sa.Column("items_failed", sa.BigInteger, nullable=False),
        )

    def _jobs(self) -> sa.Table:
        return self._table(
            "jobs",
            sa.Column("id", sa.Uuid, primary_key=True),
            sa.Column("scope_key", sa.Text, nullable=False),
            sa.Column("key", sa.Text, nullable=False),
            sa.Column("queue", sa.Text, nullable=False),
            sa.Column("priority", sa.SmallInteger, nullable=False),
            sa.Column("policy", Json, nullable=False),
            sa.Column("version", sa.Integer, nullable=False),
            sa.Column("sla_start_ms", sa.BigInteger),
            sa.Column("keep_for_ms", sa.BigInteger),
            sa.Column("keep_last", sa.Integer),
            self._index("jobs_key", "scope_key", "key", unique=True),
            self._index("jobs_sla", "sla_start_ms", where="sla_start_ms IS NOT NULL"),
            self._index("jobs_keep", "keep_for_ms", where="keep_for_ms IS NOT NULL"),
        )

    def _calendars(self) -> sa.Table:
        return self._table(
            "calendars",
            sa.Column("id", sa.Uuid, primary_key=True),
            sa.Column("scope_key", sa.Text, nullable=False),
            sa.Column("key", sa.Text, nullable=False),
            sa.Column("definition", Json, nullable=False),
            sa.Column("version", sa.Integer, nullable=False),
            self._index("calendars_key", "scope_key", "key", unique=True),
        )

    def _runs(self) -> sa.Table:
        return self._table(
            "runs",
            sa.Column("id", sa.Uuid, primary_key=True),
            sa.Column("scope_key", sa.Text, nullable=False),
            sa.Column("schedule_id", sa.Uuid),
            sa.Column("job_key", sa.Text, nullable=False),
            sa.Column("queue", sa.Text, nullable=False),
            sa.Column("priority", sa.SmallInteger, nullable=False),
            sa.Column("handler", sa.Text),
            sa.Column("cause", sa.Text, nullable=False),
            sa.Column("own_key", sa.Text, nullable=False),
            sa.Column("request_key", sa.Text),
            sa.Column("status", sa.Text, nullable=False),
            sa.Column("reason", sa.Text),
            sa.Column("gate", sa.Text),
            sa.Column("nominal_at", Moment, nullable=False),
            sa.Column("through_at", Moment),
            sa.Column("count", sa.Integer, nullable=False),
            sa.Column("run_at", Moment, nullable=False),
            sa.Column("target", Json),
            sa.Column("payload", Json),
            sa.Column("attempt", sa.Integer, nullable=False),
            sa.Column("lost_count", sa.Integer, nullable=False),
            sa.Column("worker_id", sa.Uuid),
            sa.Column("lease_token", sa.Integer, nullable=False),
            sa.Column("started_at", Moment),
            sa.Column("finished_at", Moment),
            sa.Column("error", sa.Text),
            sa.Column("result", Json),
            sa.Column("items_processed", sa.BigInteger, nullable=False),
            sa.Column("items_succeeded", sa.BigInteger, nullable=False),
            sa.Column("items_failed", sa.BigInteger, nullable=False),
            sa.Column("triggered_by", sa.Text),
            sa.Column("cancel_requested_at", Moment),
            sa.Column("replay_of", sa.Uuid),
            sa.Column("limit_key", sa.Text),
            *self._run_indexes(),
        )

    def _run_indexes(self) -> list[sa.Index]:
        return [
            self._index("runs_occurrence", "schedule_id", "nominal_at", "own_key", unique=True),
            self._index(
                "runs_request",
                "scope_key",
                "request_key",
                unique=True,
                where="request_key IS NOT NULL",
            ),
            self._index("runs_claim", "scope_key", sa.text("priority DESC"), "run_at", where=READY),
            self._index("runs_waiting", "run_at", where=WAITING),
            self._index("runs_in_line", "schedule_id", where=IN_LINE),
            self._index(
                "runs_limited",
                *("scope_key", "job_key", "limit_key", "queue", sa.text("coalesce(handler, '')")),
                *(sa.text("priority DESC"), "run_at"),
                where=LIMITED,
            ),
            self._index("runs_using", "scope_key", "job_key", "limit_key", where=USING),
            self._index("runs_open", "schedule_id", where=OPEN),
            self._index("runs_running", "worker_id", where=RUNNING),
            self._index("runs_history", "scope_key", "id"),
            self._index("runs_failures", "schedule_id", "id", where=FAILURE),
        ]

    def _attempts(self) -> sa.Table:
        return self._table(
            "attempts",
            sa.Column("run_id", sa.Uuid, primary_key=True),
            sa.Column("attempt", sa.Integer, primary_key=True),
            sa.Column("outcome", sa.Text, nullable=False),
            sa.Column("worker_id", sa.Uuid),
            sa.Column("started_at", Moment),
            sa.Column("finished_at", Moment, nullable=False),
            sa.Column("error", sa.Text),
        )

    def _reports(self) -> sa.Table:
        return self._table(
            "run_reports",
            sa.Column("run_id", sa.Uuid, primary_key=True),
            sa.Column("attempt", sa.Integer, primary_key=True),
            sa.Column("lease_token", sa.Integer, nullable=False),
            sa.Column("done", sa.Double),
            sa.Column("total", sa.Double),
            sa.Column("message", sa.Text),
            sa.Column("told_at", Moment),
            sa.Column("processed", sa.BigInteger),
            sa.Column("succeeded", sa.BigInteger),
            sa.Column("failed", sa.BigInteger),
            sa.Column("lines_dropped", sa.BigInteger, nullable=False),
        )

    def _logs(self) -> sa.Table:
        return self._table(
            "run_logs",
            sa.Column("run_id", sa.Uuid, primary_key=True),
            sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("attempt", sa.Integer, nullable=False),
            sa.Column("at", Moment, nullable=False),
            sa.Column("level", sa.Text, nullable=False),
            sa.Column("logger", sa.Text),
            sa.Column("text", sa.Text, nullable=False),
        )

    def _workers(self) -> sa.Table:
        return self._table(
            "workers",
            sa.Column("id", sa.Uuid, primary_key=True),
            sa.Column("name", sa.Text, nullable=False),
            sa.Column("host", sa.Text, nullable=False),
            sa.Column("pid", sa.Integer, nullable=False),
            sa.Column("version", sa.Text, nullable=False),
            sa.Column("queues", Json, nullable=False),
            sa.Column("handlers", Json, nullable=False),
            sa.Column("slots", sa.Integer, nullable=False),
            sa.Column("running", sa.Integer, nullable=False),
            sa.Column("status", sa.Text, nullable=False),
            sa.Column("started_at", Moment, nullable=False),
            sa.Column("heartbeat_at", Moment, nullable=False),
            sa.Column("lease_until", Moment, nullable=False),
        )

    def _changes(self) -> sa.Table:
        return self._table(
            "changes",
            sa.Column("id", sa.Uuid, primary_key=True),
            sa.Column("scope_key", sa.Text, nullable=False),
            sa.Column("at", Moment, nullable=False),
            sa.Column("actor", sa.Text),
            sa.Column("action", sa.Text, nullable=False),
            sa.Column("resource", sa.Text, nullable=False),
            sa.Column("resource_id", sa.Uuid, nullable=False),
            sa.Column("resource_key", sa.Text, nullable=False),
            sa.Column("reason", sa.Text),
            sa.Column("before", Json),
            sa.Column("after", Json),
            sa.Column("version", sa.Integer, nullable=False),
            self._index("changes_list", "scope_key", "id"),
            self._index("changes_resource", "resource_id", "id"),
        )

    def _duties(self) -> sa.Table:
        return self._table(
            "duties",
            sa.Column("name", sa.Text, primary_key=True),
            sa.Column("holder", sa.Uuid, nullable=False),
            sa.Column("until", Moment, nullable=False),
        )

    def _rates(self) -> sa.Table:
        return self._table(
            "rates",
            sa.Column("scope_key", sa.Text, primary_key=True),
            sa.Column("job_key", sa.Text, primary_key=True),
            sa.Column("limit_key", sa.Text, primary_key=True),
            sa.Column("used", Json, nullable=False),
            sa.Column("opens_at", Moment),
            sa.Column("expires_at", Moment, nullable=False),
            self._index("rates_opening", "opens_at", where="opens_at IS NOT NULL"),
            self._index("rates_expiry", "expires_at"),
        )

    def _sweeps(self) -> sa.Table:
        return self._table(
            "sweeps",
            sa.Column("name", sa.Text, primary_key=True),
            sa.Column("through", Moment, nullable=False),
        )
