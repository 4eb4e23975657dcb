"""Which moments of a due schedule fire, which are undone, and what comes next. Pure.

Invariant: every moment from the cursor up to `decided_through` is covered by exactly one decision,
and what comes next lies strictly after everything decided. Only a schedule that has had its last
run leaves moments up to `now` undecided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tickwright.model.plan import Decision, Due, Plan
from tickwright.model.run import Gate, RunStatus
from tickwright.model.schedule import (
    CATCHUP_WINDOW,
    MAX_CATCHUP,
    MISFIRE_THRESHOLD,
    Misfire,
    Overlap,
)
from tickwright.model.storable import storable_text
from tickwright.triggers.base import Trigger

MAX_MOMENTS = 2000
"""Moments decided for one schedule in one tick; a longer backlog is decided in several."""

MAX_PARKED_BYTES = 500
_TICK = timedelta(microseconds=1)
_UNDONE = {
    Misfire.FIRE_ONCE: "coalesced",
    Misfire.FIRE_ALL: "catchup_window",
    Misfire.SKIP: "misfire",
}
"""Why the late moments that do not fire are missed."""
NextAfter = Callable[[Trigger, datetime], datetime | None]


def next_after(trigger: Trigger, moment: datetime) -> datetime | None:
    return trigger.next_after(moment)


def first_run(
    trigger: Trigger, now: datetime, starts_at: datetime | None, ends_at: datetime | None
) -> datetime | None:
    """The first occurrence strictly after `now` that lies within the bounds, both inclusive."""
    base = now if starts_at is None or starts_at <= now else starts_at - _TICK
    moment = trigger.next_after(base)
    return None if moment is None or (ends_at is not None and moment > ends_at) else moment


def plan(due: Due, trigger: Trigger, now: datetime, step: NextAfter = next_after) -> Plan:
    """Decide all moments of `due` up to `now`, or the oldest `MAX_MOMENTS` of them."""
    moments, upcoming = _moments(due, trigger, now, step)
    on_time = [m for m in moments if now - m <= MISFIRE_THRESHOLD or not trigger.recurring]
    late = moments[: len(moments) - len(on_time)]
    firing = _made_up(due, late, on_time, now, _Rest(trigger, upcoming, step)) + on_time
    undone = moments[: len(moments) - len(firing)]
    decisions = _stretch(undone, RunStatus.MISSED, _UNDONE[due.misfire])
    fired, exhausted = _fire(due, firing, decisions)
    spent = exhausted or upcoming is None
    replaces = due.overlap is Overlap.CANCEL_RUNNING and bool(due.open.active or due.open.waiting)
    return Plan(
        schedule_id=due.schedule_id,
        decisions=decisions,
        next_run_at=None if spent else upcoming,
        decided_through=_end_of(decisions),
        fired_count=due.fired_count + fired,
        spent=spent,
        make_way=replaces and fired > 0,
    )


def halt(
    due: Due, trigger: Trigger, now: datetime, reason: str, step: NextAfter = next_after
) -> Plan:
    """Like `plan`, for a schedule that somebody stops at this moment: nothing fires any more."""
    moments, upcoming = _moments(due, trigger, now, step)
    decisions = _stretch(moments, RunStatus.SKIPPED, reason)
    return Plan(
        schedule_id=due.schedule_id,
        decisions=decisions,
        next_run_at=upcoming,
        decided_through=_end_of(decisions),
        fired_count=due.fired_count,
    )


def park(due: Due, error: Exception) -> Plan:
    """The plan of a schedule whose rule cannot be evaluated: it waits, and harms no other."""
    return Plan(
        schedule_id=due.schedule_id,
        decisions=[],
        next_run_at=None,
        decided_through=None,
        fired_count=due.fired_count,
        parked=storable_text(f"{type(error).__name__}: {error}", MAX_PARKED_BYTES),
    )


def _moments(
    due: Due, trigger: Trigger, now: datetime, step: NextAfter
) -> tuple[list[datetime], datetime | None]:
    """The due moments, oldest first, and the one after them."""
    moments: list[datetime] = []
    moment: datetime | None = due.next_run_at
    while moment is not None and moment <= now and len(moments) < MAX_MOMENTS:
        moments.append(moment)
        moment = step(trigger, moment)
        if moment is not None and due.ends_at is not None and moment > due.ends_at:
            moment = None
    return moments, moment


@dataclass(frozen=True, slots=True)
class _Rest:
    """The moments after those that are decided now."""

    trigger: Trigger
    first: datetime | None
    step: NextAfter

    def late(self, now: datetime, most: int) -> int:
        """How many of them are too late already, counted up to `most`."""
        count, moment = 0, self.first
        while moment is not None and now - moment > MISFIRE_THRESHOLD and count < most:
            count += 1
            moment = self.step(self.trigger, moment)
        return count


def _made_up(
    due: Due, late: list[datetime], on_time: list[datetime], now: datetime, rest: _Rest
) -> list[datetime]:
    """The newest of the late moments that fire all the same."""
    if due.misfire is Misfire.FIRE_ALL:
        room = MAX_CATCHUP - rest.late(now, MAX_CATCHUP)
        recent = [moment for moment in late if now - moment <= CATCHUP_WINDOW]
        return recent[-room:] if room else []
    newest = not on_time and (rest.first is None or rest.first > now)
    return late[-1:] if newest and due.misfire is Misfire.FIRE_ONCE else []


def _fire(due: Due, firing: list[datetime], decisions: list[Decision]) -> tuple[int, bool]:
    """Append what fires and what overlap skips; how many fired, and whether that was the last."""
    room = None if due.max_runs is None else due.max_runs - due.fired_count
    active, waiting = due.open.active, due.open.waiting
    if due.overlap is Overlap.CANCEL_RUNNING:
        # Of several at once each would only make way for the next.
        decisions += _stretch(firing[:-1], RunStatus.SKIPPED, "overlap")
        firing, waiting = firing[-1:], 0
    fired = 0
    skipped: list[datetime] = []
    for moment in firing:
        if room is not None and fired >= room:
            break
        if due.overlap is Overlap.ALLOW or not active + waiting:
            decisions.append(Decision(moment, RunStatus.QUEUED))
            active += 1
        elif waiting < _line(due):
            decisions.append(Decision(moment, RunStatus.QUEUED, gate=Gate.OVERLAP))
            waiting += 1
        else:
            skipped.append(moment)
            continue
        fired += 1
    decisions += _stretch(skipped, RunStatus.SKIPPED, "overlap")
    return fired, room is not None and fired >= room


def _line(due: Due) -> int:
    """How many runs may wait for an earlier one's end."""
    return due.overlap_limit if due.overlap.serial else 0


def _end_of(decisions: list[Decision]) -> datetime | None:
    return (decisions[-1].through_at or decisions[-1].nominal_at) if decisions else None


def _stretch(moments: list[datetime], status: RunStatus, reason: str) -> list[Decision]:
    """One decision for a whole run of undone moments."""
    if not moments:
        return []
    through = moments[-1] if len(moments) > 1 else None
    return [Decision(moments[0], status, reason, through, len(moments))]
