"""What stores answer with, besides the things they keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from tickwright.model.plan import Decision
from tickwright.model.run import Claimed
from tickwright.model.scope import Scope


@dataclass(frozen=True, slots=True)
class DayStats:
    """Finished runs of one day (UTC), summed; pruning the runs does not change it."""

    day: date
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    duration: timedelta = timedelta(0)
    items_processed: int = 0
    items_succeeded: int = 0
    items_failed: int = 0


@dataclass(frozen=True, slots=True)
class Undone:
    """A decision that created no work, told to whoever listens."""

    scope: Scope
    schedule_id: UUID
    schedule_key: str
    decision: Decision


@dataclass(slots=True)
class Fired:
    """The result of one firing transaction."""

    schedules: int = 0
    queued: int = 0
    claimed: list[Claimed] = field(default_factory=list)
    undone: list[Undone] = field(default_factory=list)
    parked: list[tuple[Scope, UUID, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that nobody has begun although its job's `sla_start` is over."""

    id: UUID
    scope: Scope
    schedule_id: UUID | None
    schedule_key: str | None
    run_at: datetime
    late_at: datetime


@dataclass(frozen=True, slots=True)
class Overdue:
    """Runs that became late while they waited; `through` when all before that have been told."""

    through: datetime | None = None
    runs: list[Waiting] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many runs a step deleted, and after which id the next one goes on, unless it is over."""

    runs: int
    after: UUID | None = None
    over: bool = True
