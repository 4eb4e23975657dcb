"""What the planner reads of a due schedule, and what it decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tickwright.model.run import RunStatus
from tickwright.model.schedule import Misfire, Overlap


@dataclass(slots=True)
class Due:
    """A schedule whose next occurrence has come, read under its cursor's lock."""

    schedule_id: UUID
    trigger: str
    next_run_at: datetime
    fired_count: int
    open: bool
    ends_at: datetime | None = None
    max_runs: int | None = None
    misfire: Misfire = Misfire.FIRE_ONCE
    overlap: Overlap = Overlap.SKIP


@dataclass(slots=True)
class Decision:
    """One moment, or one stretch of undone moments, decided: `queued` fires."""

    nominal_at: datetime
    status: RunStatus
    reason: str | None = None
    through_at: datetime | None = None
    count: int = 1


@dataclass(slots=True)
class Plan:
    """All that one tick decides about one schedule; the store writes it as it stands."""

    schedule_id: UUID
    decisions: list[Decision]
    next_run_at: datetime | None
    decided_through: datetime | None
    fired_count: int
    spent: bool = False
    parked: str | None = None
