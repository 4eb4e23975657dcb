"""Service jobs on the wire: the names and shapes of seed 003."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tickwright.api.wire import Answer, Body, Filters, JsonObject
from tickwright.service.options import MAX_DESCRIPTION, MAX_NAME

JobType = Literal["email", "crawler", "cleanup", "analytics", "other"]
ExecutionStatus = Literal["running", "completed", "failed"]
_MAX_OFFSET = 10**9
Text = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]


class JobError(Answer):
    """What went wrong, as seed 003 says it."""

    error: str
    message: str


class Registration(Body):
    """A job as its service declares it."""

    name: Text
    display_name: Text
    description: Annotated[str, Field(max_length=MAX_DESCRIPTION)]
    cron_expression: Text = Field(examples=["0 9 * * 1"])
    enabled: bool
    job_type: JobType
    service: Text = Field(description="`email-service` is at EMAIL_SERVICE_URL.")
    endpoint: str = Field(examples=["/api/jobs/weekly-digest"])
    config: JsonObject = Field(default={})


class TriggerJob(Body):
    """Who triggers it."""

    user_id: Text | None = None


class NewCron(Body):
    """When the job is to run from now on."""

    cron_expression: Text


class HistoryFilters(Filters):
    """Which executions to list."""

    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=_MAX_OFFSET)


class StatsFilters(Filters):
    """How far back to sum."""

    days: int = Field(default=30, ge=1, le=365)


class Registered(Answer):
    """The job is known."""

    success: Literal[True] = True
    message: str


class Done(Answer):
    """It is done."""

    message: str


class CronChanged(Answer):
    """It is done."""

    message: str
    cron_expression: str


class ServiceJobAnswer(Answer):
    """A job as it is in force; `isRunning` says that its timer is armed."""

    name: str
    display_name: str
    description: str
    cron_expression: str
    enabled: bool
    is_running: bool
    job_type: str
    service: str
    endpoint: str
    last_run_at: datetime | None
    last_run_status: Literal["completed", "failed"] | None
    last_run_duration: int | None = Field(description="In milliseconds.")
    next_run_at: datetime | None
    total_runs: int
    successful_runs: int
    failed_runs: int
    config: JsonObject


class JobDetail(ServiceJobAnswer):
    """A job, and how many of its runs are queued or running."""

    active_runs: int


class ServiceJobList(Answer):
    """All service jobs."""

    jobs: list[ServiceJobAnswer]


class JobResult(Answer):
    """What the run came to."""

    success: bool
    items_processed: int
    items_succeeded: int
    items_failed: int
    error: str | None
    metadata: JsonObject | None


class Triggered(Answer):
    """The run is over."""

    message: str
    result: JobResult


class StillRunning(Answer):
    """The run goes on; the history will tell how it ends."""

    message: str
    execution_id: UUID


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class Execution(_Row):
    """One run, as a row."""

    id: UUID
    job_name: str
    job_type: str
    status: ExecutionStatus
    started_at: datetime
    completed_at: datetime | None
    duration_ms: int | None
    items_processed: int
    items_succeeded: int
    items_failed: int
    error_message: str | None
    metadata: JsonObject | None
    triggered_by: Literal["scheduler", "manual", "admin"]
    triggered_by_user: str | None


class HistoryPagination(Answer):
    """Which part of the history this is."""

    limit: int
    offset: int
    total: int
    has_more: bool


class History(Answer):
    """One page of executions, the newest first."""

    executions: list[Execution]
    pagination: HistoryPagination


class JobStats(_Row):
    """Sums over the period."""

    total_executions: int
    successful_executions: int
    failed_executions: int
    avg_duration_ms: int | None
    total_items_processed: int


class Period(BaseModel):
    """The days that were summed, whole days in UTC."""

    model_config = ConfigDict(frozen=True)

    days: int
    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")


class StatsAnswer(Answer):
    """How a job has done."""

    stats: JobStats
    period: Period
