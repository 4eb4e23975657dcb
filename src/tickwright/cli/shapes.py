"""The JSON that commands print: the same fields in the same forms as the REST API's. Pure.

It is not taken from there because the API is an extra that these commands can do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tickwright.cli.wording import in_words
from tickwright.model.calendar import Calendar
from tickwright.model.job import Job
from tickwright.model.page import Page
from tickwright.model.report import LogLine
from tickwright.model.run import Attempt, Run
from tickwright.model.schedule import Health, Schedule, ScheduleStatus
from tickwright.model.scope import Scope
from tickwright.model.timestamps import to_rfc3339
from tickwright.service.options import camel

if TYPE_CHECKING:
    from tickwright.service.calendars import CalendarDay, CalendarDays


def schedule_json(schedule: Schedule, health: Health) -> dict[str, Any]:
    stats = schedule.stats
    return {
        "id": str(schedule.id),
        "scope": scope_json(schedule.scope),
        **schedule.configuration(),
        "triggerText": in_words(schedule.trigger),
        "statusReason": schedule.status_reason,
        "enabled": schedule.status is ScheduleStatus.ACTIVE,
        "health": health.value,
        "nextRunAt": _stamp(schedule.next_run_at),
        "firedCount": schedule.cursor.fired_count,
        "runCount": stats.run_count,
        "successCount": stats.success_count,
        "failureCount": stats.failure_count,
        "lastRunAt": _stamp(stats.last_run_at),
        "lastSuccessAt": _stamp(stats.last_success_at),
        "lastStatus": stats.last_status,
        "lastDurationMs": _milliseconds(stats.last_duration),
        "source": schedule.source,
        "createdBy": schedule.created_by,
        "registered": _layer(schedule.registered),
        "override": _layer(schedule.override),
        "version": schedule.version,
        "createdAt": _stamp(schedule.created_at),
        "updatedAt": _stamp(schedule.updated_at),
    }


def job_json(job: Job) -> dict[str, Any]:
    return {
        "id": str(job.id),
        "scope": scope_json(job.scope),
        **job.configuration(),
        "version": job.version,
    }


def calendar_json(calendar: Calendar) -> dict[str, Any]:
    return {
        "id": str(calendar.id),
        "scope": scope_json(calendar.scope),
        **calendar.configuration(),
        "version": calendar.version,
    }


def days_json(told: CalendarDays) -> dict[str, Any]:
    known = told.known_until
    return {
        "data": [_day_json(each) for each in told.days],
        "knownUntil": None if known is None else known.isoformat(),
    }


def _day_json(told: CalendarDay) -> dict[str, Any]:
    return {
        "date": told.day.isoformat(),
        "open": told.closed is None,
        "reason": told.closed,
        "partly": told.partly,
    }


def run_json(run: Run) -> dict[str, Any]:
    return {
        "id": str(run.id),
        "scope": scope_json(run.scope),
        "scheduleId": str(run.schedule_id) if run.schedule_id else None,
        "scheduleKey": run.schedule_key,
        "jobKey": run.job_key,
        "cause": run.cause.value,
        "status": run.status.value,
        "reason": run.reason,
        "nominalAt": _stamp(run.nominal_at),
        "throughAt": _stamp(run.through_at),
        "count": run.count,
        "runAt": _stamp(run.run_at),
        "gate": run.gate.value if run.gate else None,
        "queue": run.queue,
        "priority": run.priority,
        "target": dict(run.target),
        "payload": dict(run.payload),
        "attempt": run.attempt,
        "lostCount": run.lost_count,
        "workerId": str(run.worker_id) if run.worker_id else None,
        "startedAt": _stamp(run.started_at),
        "finishedAt": _stamp(run.finished_at),
        "durationMs": _milliseconds(run.duration),
        "error": run.error,
        "result": run.result,
        "items": {
            "processed": run.items.processed,
            "succeeded": run.items.succeeded,
            "failed": run.items.failed,
        },
        "triggeredBy": run.triggered_by,
        "requestId": run.request_key,
        "cancelRequestedAt": _stamp(run.cancel_requested_at),
        "replayOf": str(run.replay_of) if run.replay_of else None,
        "concurrencyKey": run.limit_key,
    }


def run_detail_json(run: Run, attempts: list[Attempt]) -> dict[str, Any]:
    told = run.progress
    return run_json(run) | {
        "attempts": [
            {
                "attempt": each.attempt,
                "outcome": each.outcome,
                "workerId": str(each.worker_id) if each.worker_id else None,
                "startedAt": _stamp(each.started_at),
                "finishedAt": _stamp(each.finished_at),
                "error": each.error,
            }
            for each in attempts
        ],
        "progress": told
        and {
            "done": told.done,
            "total": told.total,
            "message": told.message,
            "at": _stamp(told.at),
        },
    }


def line_json(line: LogLine) -> dict[str, Any]:
    return {
        "seq": line.seq,
        "attempt": line.attempt,
        "at": _stamp(line.at),
        "level": line.level.value,
        "logger": line.logger,
        "text": line.text,
    }


def pagination_json(page: Page[Any]) -> dict[str, int]:
    """The pagination of a first page."""
    return {
        "page": 1,
        "pageSize": page.limit,
        "total": page.total,
        "totalPages": -(-page.total // page.limit),
    }


def run_list_json(page: Page[Run]) -> dict[str, Any]:
    return {
        "data": [run_json(run) for run in page.items],
        "pagination": {**pagination_json(page), "totalIsExact": page.exact},
        "nextCursor": page.next_cursor,
    }


def scope_json(scope: Scope) -> dict[str, str | None]:
    return {
        "type": scope.type,
        "tenantId": scope.tenant_id,
        "organizationId": scope.organization_id,
    }


def _layer(layer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        group: {camel(name): value for name, value in values.items()}
        for group, values in layer.items()
    }


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else to_rfc3339(moment)


def _milliseconds(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // timedelta(milliseconds=1)
