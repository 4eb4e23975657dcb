"""When a job happens: configuration, cursor and counters of one schedule."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from tickwright.model.json import JsonObject
from tickwright.model.scope import Scope
from tickwright.model.timestamps import to_rfc3339

MISFIRE_THRESHOLD = timedelta(seconds=60)
CATCHUP_WINDOW = timedelta(hours=24)
MAX_CATCHUP = 100
"""How far back, and how many occurrences at most, `fire_all` makes up for."""
CIRCUIT = "circuit"
"""Why a schedule is paused whose runs failed too often in a row."""


class ScheduleStatus(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Health(StrEnum):
    """Derived at read time; it never hides the status."""

    OK = "ok"
    LATE = "late"
    FAILING = "failing"
    CIRCUIT_OPEN = "circuit_open"
    SPEC_ERROR = "spec_error"
    NO_HANDLER = "no_handler"


class Misfire(StrEnum):
    """What becomes of occurrences decided more than a minute late."""

    FIRE_ONCE = "fire_once"
    FIRE_ALL = "fire_all"
    SKIP = "skip"


class Overlap(StrEnum):
    """What becomes of an occurrence while an earlier run of the schedule is open."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL_RUNNING = "cancel_running"
    ALLOW = "allow"

    @property
    def serial(self) -> bool:
        """Whether a run may wait for an earlier one's end."""
        return self in (Overlap.QUEUE, Overlap.CANCEL_RUNNING)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a schedule has been decided; the only part of it that firing locks.

    `spent` means no further occurrence will ever come; `parked` holds the error of a rule
    that could not be evaluated.
    """

    next_run_at: datetime | None = None
    decided_through: datetime | None = None
    fired_count: int = 0
    spent: bool = False
    parked: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters of finished runs, applied with the finish itself.

    `circuit_streak` counts the failures of automatic runs since the last success or the last
    change of status; `tripped_at` says when that became too many for the job's policy.
    """

    run_count: int = 0
    success_count: int = 0
    failure_count: int = 0
    failure_streak: int = 0
    last_run_at: datetime | None = None
    last_success_at: datetime | None = None
    last_status: str | None = None
    last_duration: timedelta | None = None
    circuit_streak: int = 0
    tripped_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule as it is in force. Times are aware UTC; `trigger` and `target` are JSON.

    `registered` and `override` are the two layers behind it, each a mapping of group
    (`trigger`, `target`, `policy`, `status`) to that group's values; an override's group wins.
    """

    id: UUID
    scope: Scope
    key: str
    job_key: str
    trigger: JsonObject
    target: JsonObject
    payload: JsonObject
    created_at: datetime
    updated_at: datetime
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    max_runs: int | None = None
    misfire: Misfire = Misfire.FIRE_ONCE
    overlap: Overlap = Overlap.SKIP
    overlap_limit: int = 1
    allow_manual: bool = True
    status: ScheduleStatus = ScheduleStatus.ACTIVE
    status_reason: str | None = None
    name: str | None = None
    description: str | None = None
    category: str | None = None
    source: str = "user"
    created_by: str | None = None
    metadata: JsonObject = field(default_factory=dict)
    registered: JsonObject = field(default_factory=dict)
    override: JsonObject = field(default_factory=dict)
    version: int = 1
    deleted_at: datetime | None = None
    cursor: Cursor = Cursor()
    stats: Stats = Stats()

    @property
    def next_run_at(self) -> datetime | None:
        """The next occurrence; none while the schedule is not active."""
        return self.cursor.next_run_at

    @property
    def handler(self) -> str | None:
        """The handler a worker must serve to execute this schedule's runs, if it needs one."""
        name = self.target.get("name") if self.target.get("type") == "handler" else None
        return name if isinstance(name, str) else None

    def configuration(self) -> dict[str, Any]:
        """What an audited change compares: configuration only, as JSON."""
        return {
            "key": self.key,
            "jobKey": self.job_key,
            "trigger": dict(self.trigger),
            "target": dict(self.target),
            "payload": dict(self.payload),
            "startsAt": self.starts_at and to_rfc3339(self.starts_at),
            "endsAt": self.ends_at and to_rfc3339(self.ends_at),
            "maxRuns": self.max_runs,
            "misfire": self.misfire.value,
            "overlap": self.overlap.value,
            "overlapLimit": self.overlap_limit,
            "allowManual": self.allow_manual,
            "status": self.status.value,
            "name": self.name,
            "description": self.description,
            "category": self.category,
            "metadata": dict(self.metadata),
        }
