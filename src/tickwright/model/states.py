"""Which status may follow which; every write of a status goes through these tables."""

from __future__ import annotations

from tickwright.model.errors import NotPossible
from tickwright.model.run import RunStatus as R
from tickwright.model.schedule import ScheduleStatus as S

SCHEDULE_TRANSITIONS: dict[S, frozenset[S]] = {
    S.ACTIVE: frozenset({S.PAUSED, S.CANCELLED, S.COMPLETED, S.FAILED}),
    S.PAUSED: frozenset({S.ACTIVE, S.CANCELLED, S.COMPLETED, S.FAILED}),
    S.COMPLETED: frozenset({S.ACTIVE}),
    S.FAILED: frozenset({S.ACTIVE}),
    S.CANCELLED: frozenset(),
}

RUN_TRANSITIONS: dict[R, frozenset[R]] = {
    R.QUEUED: frozenset({R.RUNNING, R.CANCELLED, R.SKIPPED, R.MISSED}),
    R.RUNNING: frozenset({R.QUEUED, R.SUCCEEDED, R.FAILED, R.DEAD, R.CANCELLED}),
    R.SUCCEEDED: frozenset(),
    R.FAILED: frozenset(),
    R.DEAD: frozenset(),
    R.CANCELLED: frozenset(),
    R.SKIPPED: frozenset(),
    R.MISSED: frozenset(),
}

OPEN_RUNS = frozenset({R.QUEUED, R.RUNNING})


def check_schedule_transition(before: S, after: S) -> None:
    """NotPossible unless a schedule may go from `before` to `after` (or stays)."""
    if before is not after and after not in SCHEDULE_TRANSITIONS[before]:
        raise NotPossible(f"a {before} schedule cannot become {after}")
