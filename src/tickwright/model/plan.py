"""What the planner reads of a due schedule, and what it decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tickwright.model.run import Gate, RunStatus
from tickwright.model.schedule import Misfire, Overlap


@dataclass(frozen=True, slots=True)
class OpenRuns:
    """How many runs of a schedule are open: `waiting` for another one's end, or `active`."""

    active: int = 0
    waiting: int = 0


NONE_OPEN = OpenRuns()


@dataclass(slots=True)
class Due:
    """A schedule whose next occurrence has come, read under its cursor's lock."""

    schedule_id: UUID
    trigger: str
    next_run_at: datetime
    fired_count: int
    open: OpenRuns = NONE_OPEN
    ends_at: datetime | None = None
    max_runs: int | None = None
    misfire: Misfire = Misfire.FIRE_ONCE
    overlap: Overlap = Overlap.SKIP
    overlap_limit: int = 1


@dataclass(slots=True)
class Decision:
    """One moment, or one stretch of undone moments, decided: `queued` fires, behind its gate."""

    nominal_at: datetime
    status: RunStatus
    reason: str | None = None
    through_at: datetime | None = None
    count: int = 1
    gate: Gate | None = None


@dataclass(slots=True)
class Plan:
    """All that one tick decides about one schedule; the store writes it as it stands.

    With `make_way` the open runs are cancelled, or told to stop, before anything fires.
    """

    schedule_id: UUID
    decisions: list[Decision]
    next_run_at: datetime | None
    decided_through: datetime | None
    fired_count: int
    spent: bool = False
    parked: str | None = None
    make_way: bool = False
