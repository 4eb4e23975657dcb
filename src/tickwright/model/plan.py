"""What the planner reads of a due schedule, and what it decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from tickwright.model.run import Gate, RunStatus
from tickwright.model.schedule import Misfire, Overlap
from tickwright.model.timing import Timing


@dataclass(frozen=True, slots=True)
class OpenRuns:
    """How many runs of a schedule are open: `waiting` for another one's end, or `active`."""

    active: int = 0
    waiting: int = 0


NONE_OPEN = OpenRuns()


class OpenTimes(Protocol):
    """When everything that a schedule's calendars know about is open."""

    def closed_at(self, moment: datetime) -> str | None:
        """Why it is closed at that aware moment; None when it is open."""
        ...

    def __hash__(self) -> int:
        """So that what was found out for one schedule serves all with these calendars."""
        ...


@dataclass(slots=True)
class Due:
    """A schedule whose next occurrence has come, read under its cursor's lock.

    `calendars` are the JSON texts of those its timing names; who plans makes `open_times` of them.
    """

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
    next_nominal: datetime | None = None
    timing: Timing | None = None
    calendars: tuple[str, ...] = ()
    open_times: OpenTimes | None = None

    @property
    def nominal(self) -> datetime:
        """The first instant that is not decided yet; the rule's own, whenever it is due."""
        return self.next_nominal or self.next_run_at


@dataclass(slots=True)
class Decision:
    """One moment, or one stretch of undone moments, decided: `queued` fires, behind its gate.

    `run_at` is when it is due, if that is not its nominal instant.
    """

    nominal_at: datetime
    status: RunStatus
    reason: str | None = None
    through_at: datetime | None = None
    count: int = 1
    gate: Gate | None = None
    run_at: datetime | None = None


@dataclass(slots=True)
class Plan:
    """All that one tick decides about one schedule; the store writes it as it stands.

    `next_nominal` is the first undecided instant, if that is not the `next_run_at` at which
    something has to be decided again.

    With `make_way` the open runs are cancelled, or told to stop, before anything fires.
    """

    schedule_id: UUID
    decisions: list[Decision]
    next_run_at: datetime | None
    decided_through: datetime | None
    fired_count: int
    spent: bool = False
    parked: str | None = None
    next_nominal: datetime | None = None
    make_way: bool = False
