"""Schedules and runs, told as the jobs and executions of seed 003."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any, Literal

from tickwright.api.service_job_wire import (
    Execution,
    ExecutionStatus,
    History,
    HistoryPagination,
    JobResult,
    JobStats,
    Period,
    StatsAnswer,
)
from tickwright.api.wire import JsonObject, milliseconds
from tickwright.model.page import Page
from tickwright.model.run import Cause, Run, RunStatus
from tickwright.model.schedule import Schedule, ScheduleStatus
from tickwright.service.statistics import Statistics

EXECUTED = frozenset(
    {
        RunStatus.RUNNING,
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.DEAD,
        RunStatus.CANCELLED,
    }
)
_LAST_SECOND = time(23, 59, 59)
_TRIGGERED_BY: dict[Cause, Literal["scheduler", "manual", "admin"]] = {
    Cause.SCHEDULE: "scheduler",
    Cause.MANUAL: "manual",
    Cause.ADMIN: "admin",
    Cause.REPLAY: "manual",
}


def is_service_job(schedule: Schedule) -> bool:
    """Whether this surface can show it: a cron rule that calls a service."""
    return schedule.trigger.get("type") == "cron" and schedule.target.get("type") == "http"


def job_fields(schedule: Schedule) -> dict[str, Any]:
    stats = schedule.stats
    return {
        "name": schedule.key,
        "display_name": schedule.name or schedule.key,
        "description": schedule.description or "",
        "cron_expression": schedule.trigger["expression"],
        "enabled": schedule.status is ScheduleStatus.ACTIVE,
        "is_running": schedule.next_run_at is not None,
        "job_type": job_type(schedule),
        "service": schedule.target["service"],
        "endpoint": schedule.target["endpoint"],
        "last_run_at": stats.last_run_at,
        "last_run_status": _last_status(stats.last_status),
        "last_run_duration": milliseconds(stats.last_duration),
        "next_run_at": schedule.next_run_at,
        "total_runs": stats.run_count,
        "successful_runs": stats.success_count,
        "failed_runs": stats.run_count - stats.success_count,
        "config": dict(schedule.payload),
    }


def job_type(schedule: Schedule) -> str:
    return schedule.category or "other"


def result_of(run: Run) -> JobResult:
    return JobResult(
        success=run.status is RunStatus.SUCCEEDED,
        items_processed=run.items.processed,
        items_succeeded=run.items.succeeded,
        items_failed=run.items.failed,
        error=_error(run),
        metadata=_metadata(run),
    )


def history_of(runs: Page[Run], schedule: Schedule) -> History:
    return History(
        executions=[_execution(run, schedule) for run in runs.items],
        pagination=HistoryPagination(
            limit=runs.limit, offset=runs.offset, total=runs.total, has_more=runs.has_more
        ),
    )


def stats_of(found: Statistics, days: int) -> StatsAnswer:
    return StatsAnswer(
        stats=JobStats(
            total_executions=found.total,
            successful_executions=found.succeeded,
            failed_executions=found.failed + found.cancelled,
            avg_duration_ms=milliseconds(found.average_duration),
            total_items_processed=found.items_processed,
        ),
        period=Period.model_validate(
            {
                "days": days,
                "from": datetime.combine(found.since, time.min, UTC),
                "to": datetime.combine(found.until, _LAST_SECOND, UTC),
            }
        ),
    )


def _execution(run: Run, schedule: Schedule) -> Execution:
    return Execution(
        id=run.id,
        job_name=schedule.key,
        job_type=job_type(schedule),
        status=_status(run.status),
        started_at=run.started_at or run.run_at,
        completed_at=run.finished_at,
        duration_ms=milliseconds(run.duration),
        items_processed=run.items.processed,
        items_succeeded=run.items.succeeded,
        items_failed=run.items.failed,
        error_message=_error(run),
        metadata=_metadata(run),
        triggered_by=_TRIGGERED_BY[run.cause],
        triggered_by_user=run.triggered_by,
    )


def _status(status: RunStatus) -> ExecutionStatus:
    if status is RunStatus.RUNNING:
        return "running"
    return "completed" if status is RunStatus.SUCCEEDED else "failed"


def _last_status(status: str | None) -> Literal["completed", "failed"] | None:
    if status is None:
        return None
    return "completed" if status == RunStatus.SUCCEEDED else "failed"


def _error(run: Run) -> str | None:
    if run.status is RunStatus.CANCELLED:
        return "cancelled"
    return run.error


def _metadata(run: Run) -> JsonObject | None:
    told = run.result.get("metadata") if isinstance(run.result, dict) else None
    return told if isinstance(told, dict) else None
