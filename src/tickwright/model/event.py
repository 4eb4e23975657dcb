"""Domain events: what happened, told after it was committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tickwright.model.scope import SYSTEM, Scope

SCHEDULE_CREATED = "scheduler.schedule.created"
SCHEDULE_UPDATED = "scheduler.schedule.updated"
SCHEDULE_ENABLED = "scheduler.schedule.enabled"
SCHEDULE_DISABLED = "scheduler.schedule.disabled"
SCHEDULE_CANCELLED = "scheduler.schedule.cancelled"
SCHEDULE_DELETED = "scheduler.schedule.deleted"
SCHEDULE_PARKED = "scheduler.schedule.parked"
RUN_STARTED = "scheduler.run.started"
RUN_SUCCEEDED = "scheduler.run.succeeded"
RUN_FAILED = "scheduler.run.failed"
RUN_STUCK = "scheduler.run.stuck"
RUN_DEAD = "scheduler.run.dead"
RUN_CANCELLED = "scheduler.run.cancelled"
RUN_SKIPPED = "scheduler.run.skipped"
RUN_MISSED = "scheduler.run.missed"
RUN_LATE = "scheduler.run.late"
RUN_SLOW = "scheduler.run.slow"
RUN_REFUSED = "scheduler.run.refused"
WORKER_REGISTERED = "scheduler.worker.registered"
WORKER_OFFLINE = "scheduler.worker.offline"
LOOP_FAILED = "scheduler.loop.failed"

ALIASES: Mapping[str, str] = {
    "scheduler.job.started": RUN_STARTED,
    "scheduler.job.completed": RUN_SUCCEEDED,
    "scheduler.job.failed": RUN_FAILED,
    "scheduler.job.skipped": RUN_SKIPPED,
}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `data` is JSON, with `runId`, `scheduleId`, … where they apply."""

    name: str
    at: datetime
    scope: Scope = SYSTEM
    data: Mapping[str, Any] = field(default_factory=dict)


Emit = Callable[[Event], None]
