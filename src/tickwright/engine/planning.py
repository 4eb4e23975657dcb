"""Which moments of a due schedule fire, which are undone, and what comes next. Pure.

Invariant: every moment from the cursor up to `decided_through` is covered by exactly one decision,
and what comes next lies strictly after everything decided. Only a schedule that has had its last
run leaves moments up to `now` undecided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tickwright.engine.occurrences import (
    Course,
    NextAfter,
    Occurrence,
    ahead,
    same_slot,
    wake_at,
)
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
_TOO_LATE = {
    Misfire.FIRE_ONCE: "coalesced",
    Misfire.FIRE_ALL: "catchup_window",
    Misfire.SKIP: "misfire",
}
"""Why the late moments that do not fire are missed."""


def next_after(trigger: Trigger, moment: datetime) -> datetime | None:
    return trigger.next_after(moment)


def course_of(due: Due, trigger: Trigger, step: NextAfter = next_after) -> Course:
    return Course(trigger, step, due.ends_at, due.timing, due.open_times, due.schedule_id)


def begin(
    course: Course, now: datetime, starts_at: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """When something is to be decided first, and the first instant that is.

    It lies strictly after `now` and within the bounds, both inclusive, and so does the moment at
    which it is due: what was moved to an earlier one that has passed is owed by nobody.
    """
    base = now if starts_at is None or starts_at <= now else starts_at - _TICK
    nominal = course.after(base)
    while nominal is not None and course.rolls and course.at(nominal).due <= now:
        nominal = course.after(nominal)
    return wake_at(course, nominal), nominal


def plan(due: Due, trigger: Trigger, now: datetime, step: NextAfter = next_after) -> Plan:
    """Decide all moments of `due` up to `now`, or the oldest `MAX_MOMENTS` of them."""
    course = course_of(due, trigger, step)
    found, upcoming = _found(course, due, now)
    undone = _undone(course, found, upcoming) if course.timing is not None else {}
    live = [each for each in found if each.nominal not in undone] if undone else found
    threshold = now - MISFIRE_THRESHOLD
    late = [each for each in live if each.due < threshold] if trigger.recurring else []
    if late:
        firing = _made_up(due, late, len(live) > len(late), now, _Rest(course, upcoming))
        reason = (RunStatus.MISSED, _TOO_LATE[due.misfire])
        undone |= {each.nominal: reason for each in late if each not in firing}
    if due.overlap is Overlap.CANCEL_RUNNING and len(live) > 1:
        # Of several at once each would only make way for the next.
        firing = [each for each in live if each.nominal not in undone]
        undone |= {each.nominal: (RunStatus.SKIPPED, "overlap") for each in firing[:-1]}
    decisions, fired, exhausted = _decided(due, now, found, undone)
    spent = exhausted or upcoming is None
    replaces = due.overlap is Overlap.CANCEL_RUNNING and bool(due.open.active or due.open.waiting)
    return Plan(
        schedule_id=due.schedule_id,
        decisions=decisions,
        next_run_at=None if spent else wake_at(course, upcoming),
        decided_through=_end_of(decisions),
        fired_count=due.fired_count + fired,
        spent=spent,
        next_nominal=None if spent else _apart(course, upcoming),
        make_way=replaces and fired > 0,
    )


def halt(
    due: Due, trigger: Trigger, now: datetime, reason: str, step: NextAfter = next_after
) -> Plan:
    """Like `plan`, for a schedule that somebody stops at this moment: nothing fires any more."""
    course = course_of(due, trigger, step)
    found, upcoming = _found(course, due, now)
    undone = {each.nominal: (RunStatus.SKIPPED, reason) for each in found}
    decisions, _, _ = _decided(due, now, found, undone)
    return Plan(
        schedule_id=due.schedule_id,
        decisions=decisions,
        next_run_at=wake_at(course, upcoming),
        decided_through=_end_of(decisions),
        fired_count=due.fired_count,
        next_nominal=_apart(course, upcoming),
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


def _apart(course: Course, nominal: datetime | None) -> datetime | None:
    """The next instant, where it may not be when it is due."""
    return None if course.timing is None else nominal


def _found(course: Course, due: Due, now: datetime) -> tuple[list[Occurrence], datetime | None]:
    """What is to be decided now, in the order of the rule's instants, and the instant after it.

    That is whatever has passed, and whatever an occurrence that was moved to before now follows.
    """
    if course.rolls:
        return _found_rolling(course, due, now)
    found: list[Occurrence] = []
    nominal: datetime | None = due.nominal
    while nominal is not None and len(found) < MAX_MOMENTS:
        if nominal > now and (course.timing is None or course.at(nominal).due > now):
            break
        found.append(course.at(nominal))
        nominal = course.after(nominal)
    return found, nominal


def _found_rolling(
    course: Course, due: Due, now: datetime
) -> tuple[list[Occurrence], datetime | None]:
    coming = list(ahead(course, due.nominal))
    passed = [n for n, each in enumerate(coming) if each.nominal <= now or each.due <= now]
    found = coming[: passed[-1] + 1] if passed else []
    return found, course.after(found[-1].nominal) if found else due.nominal


def _undone(
    course: Course, found: list[Occurrence], upcoming: datetime | None
) -> dict[datetime, tuple[RunStatus, str]]:
    """What calendar and window skip, and what comes to the same moment as a later one."""
    later = [] if upcoming is None else _following(course, upcoming)
    undone = {}
    for n, each in enumerate(found):
        if each.skipped is not None:
            undone[each.nominal] = (RunStatus.SKIPPED, each.skipped)
        elif any(same_slot(each, other) for other in _after(course, [*found[n + 1 :], *later])):
            undone[each.nominal] = (RunStatus.MISSED, "coalesced")
    return undone


def _following(course: Course, upcoming: datetime) -> list[Occurrence]:
    return list(ahead(course, upcoming)) if course.rolls else [course.at(upcoming)]


def _after(course: Course, later: list[Occurrence]) -> list[Occurrence]:
    """Those that can come to the same moment: without rolls only the very next one."""
    return later if course.rolls else later[:1]


@dataclass(frozen=True, slots=True)
class _Rest:
    """The moments after those that are decided now."""

    course: Course
    first: datetime | None

    def late(self, now: datetime, most: int) -> int:
        """How many of them are too late already, counted up to `most`."""
        count, moment = 0, self.first
        while moment is not None and now - moment > MISFIRE_THRESHOLD and count < most:
            count += 1
            moment = self.course.after(moment)
        return count


def _made_up(
    due: Due, late: list[Occurrence], others: bool, now: datetime, rest: _Rest
) -> list[Occurrence]:
    """The newest of the late ones that fire all the same; `others` are on time."""
    if due.misfire is Misfire.FIRE_ALL:
        room = MAX_CATCHUP - rest.late(now, MAX_CATCHUP)
        recent = [each for each in late if now - each.due <= CATCHUP_WINDOW]
        return recent[-room:] if room else []
    newest = not others and (rest.first is None or rest.first > now)
    return late[-1:] if newest and due.misfire is Misfire.FIRE_ONCE else []


def _decided(
    due: Due,
    now: datetime,
    found: list[Occurrence],
    undone: Mapping[datetime, tuple[RunStatus, str]],
) -> tuple[list[Decision], int, bool]:
    """The decisions in order, how many fire, and whether the last of them was the last of all."""
    room = None if due.max_runs is None else due.max_runs - due.fired_count
    active, waiting = due.open.active, due.open.waiting
    if due.overlap is Overlap.CANCEL_RUNNING:
        waiting = 0
    decisions: list[Decision] = []
    fired = 0
    for each in found:
        verdict = undone.get(each.nominal)
        if verdict is None:
            if room is not None and fired >= room:
                break
            if due.overlap is Overlap.ALLOW or not active + waiting:
                decisions.append(_firing(each, now, None))
                active += 1
            elif waiting < _line(due):
                decisions.append(_firing(each, now, Gate.OVERLAP))
                waiting += 1
            else:
                _add_undone(decisions, each.nominal, RunStatus.SKIPPED, "overlap")
                continue
            fired += 1
        else:
            _add_undone(decisions, each.nominal, *verdict)
    return decisions, fired, room is not None and fired >= room


def _firing(each: Occurrence, now: datetime, gate: Gate | None) -> Decision:
    gate = gate or (Gate.TIME if each.due > now else None)
    moved = each.due if each.due != each.nominal else None
    return Decision(each.nominal, RunStatus.QUEUED, gate=gate, run_at=moved)


def _line(due: Due) -> int:
    """How many runs may wait for an earlier one's end."""
    return due.overlap_limit if due.overlap.serial else 0


def _end_of(decisions: list[Decision]) -> datetime | None:
    return (decisions[-1].through_at or decisions[-1].nominal_at) if decisions else None


def _add_undone(
    decisions: list[Decision], nominal: datetime, status: RunStatus, reason: str
) -> None:
    """One decision for a whole run of undone moments."""
    last = decisions[-1] if decisions else None
    if last is not None and (last.status, last.reason) == (status, reason):
        last.through_at, last.count = nominal, last.count + 1
    else:
        decisions.append(Decision(nominal, status, reason))
