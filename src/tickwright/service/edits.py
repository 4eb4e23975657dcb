"""What each operation makes of a schedule. Pure: each answers the state and change to write.

Invariant: next_run_at is recomputed strictly after now and after everything already decided, so
no edit, pause, resume or registration ever fires the past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from tickwright.engine.occurrences import Course, wake_at
from tickwright.engine.planner import open_times
from tickwright.engine.planning import begin, next_after
from tickwright.model.change import Change
from tickwright.model.errors import Conflict, InvalidInput, NotFound, NotPossible, VersionConflict
from tickwright.model.json import JsonObject
from tickwright.model.schedule import Cursor, Schedule, ScheduleStatus
from tickwright.model.scope import Scope
from tickwright.model.states import check_schedule_transition
from tickwright.service.layers import (
    FILLED_IN,
    overridden,
    registered_layer,
    same_rule,
    wants_enabled,
    with_layers,
)
from tickwright.service.options import Wishes
from tickwright.store.base import Edit
from tickwright.store.database import new_id
from tickwright.triggers import Trigger, trigger_from_json

Past = Literal["refuse", "run_now"]
TOLERANCE = timedelta(seconds=60)
_ENDED = (ScheduleStatus.COMPLETED, ScheduleStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks, when, and why; and the definitions, by key, of the calendars that matter."""

    now: datetime
    actor: str | None = None
    reason: str | None = None
    calendars: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declaration:
    """A whole schedule as a caller declares it."""

    scope: Scope
    key: str
    job_key: str
    trigger: Trigger
    wishes: Wishes
    past: Past = "refuse"


def create(current: Schedule | None, wanted: Declaration, who: Who) -> Edit:
    """A new schedule; Conflict when the key is taken."""
    if current is not None:
        raise Conflict(f"there is already a schedule with the key {wanted.key!r}")
    return _first(wanted, who, "create")


def register(current: Schedule | None, wanted: Declaration, who: Who) -> Edit | None:
    """Create it, or replace what was registered before; None when nothing changes."""
    if current is None:
        return _first(wanted, who, "register")
    before = current.registered.get("trigger", {}).get("trigger", {})
    start = wanted.wishes.get("starts_at") or who.now
    trigger = _anchored(before, wanted.trigger, start, _seed(wanted.scope, wanted.key))
    layer = registered_layer(trigger, wanted.wishes, _target(wanted))
    after = with_layers(_described(current, wanted.wishes), layer, current.override)
    after = replace(after, job_key=wanted.job_key)
    if after == current and current.cursor.parked is None:
        return None
    after = _as_enabled(current, _reconsidered(current, after, who, wanted.past), who)
    return _edit(current, after, who, "register")


def update(
    current: Schedule | None, ref: object, wishes: Wishes, trigger: Trigger | None, who: Who
) -> Edit:
    """Override what `wishes` and `trigger` say; a spent schedule may come to life again."""
    before = _present(current, ref)
    if before.status is ScheduleStatus.CANCELLED:
        raise NotPossible("a cancelled schedule cannot be changed; create a new one")
    if trigger is not None:
        start = wishes.get("starts_at", before.starts_at) or who.now
        trigger = _anchored(before.trigger, trigger, start, _seed(before.scope, before.key))
    layer = overridden(before, wishes, trigger)
    after = with_layers(_described(before, wishes), before.registered, layer)
    _check_bounds(after)
    after = _as_enabled(before, _reconsidered(before, after, who), who)
    return _edit(before, after, who, "update")


def pause(current: Schedule | None, ref: object, who: Who) -> Edit | None:
    before = _present(current, ref)
    if before.status is ScheduleStatus.PAUSED:
        return None
    check_schedule_transition(before.status, ScheduleStatus.PAUSED)
    layer = overridden(before, Wishes({"enabled": False}), None)
    after = with_layers(before, before.registered, layer)
    return _edit(before, _paused(after, who.reason), who, "pause")


def resume(current: Schedule | None, ref: object, who: Who) -> Edit | None:
    before = _present(current, ref)
    if before.status is ScheduleStatus.ACTIVE:
        return None
    if before.status is not ScheduleStatus.PAUSED:
        raise NotPossible(f"a {before.status} schedule cannot be resumed; give it a new trigger")
    layer = overridden(before, Wishes({"enabled": True}), None)
    after = with_layers(before, before.registered, layer)
    return _edit(before, _resumed(after, who), who, "resume")


def cancel(current: Schedule | None, ref: object, who: Who) -> Edit | None:
    before = _present(current, ref)
    if before.status is ScheduleStatus.CANCELLED:
        return None
    check_schedule_transition(before.status, ScheduleStatus.CANCELLED)
    after = replace(
        before,
        status=ScheduleStatus.CANCELLED,
        status_reason=who.reason,
        cursor=_disarmed(before.cursor),
    )
    return _edit(before, after, who, "cancel", cancel_queued=True)


def delete(current: Schedule | None, ref: object, who: Who) -> Edit:
    before = _present(current, ref)
    after = replace(before, deleted_at=who.now, cursor=_disarmed(before.cursor))
    return _edit(before, after, who, "delete", cancel_queued=True)


def check_version(current: Schedule | None, expected: int | None) -> None:
    """VersionConflict when the caller has seen another version than the present one."""
    if current is not None and expected is not None and current.version != expected:
        raise VersionConflict(
            f"version {expected} was expected, but the schedule has version {current.version}"
        )


def _first(wanted: Declaration, who: Who, action: str) -> Edit:
    start = wanted.wishes.get("starts_at") or who.now
    trigger = _anchored({}, wanted.trigger, start, _seed(wanted.scope, wanted.key))
    layer = registered_layer(trigger, wanted.wishes, _target(wanted))
    blank = Schedule(
        id=new_id(),
        scope=wanted.scope,
        key=wanted.key,
        job_key=wanted.job_key,
        trigger={},
        target={},
        payload={},
        created_at=who.now,
        updated_at=who.now,
        created_by=who.actor,
    )
    schedule = with_layers(_described(blank, wanted.wishes), layer, {})
    _check_bounds(schedule)
    base = _earliest(trigger, who.now, wanted.past)
    schedule = _armed(schedule, trigger, base, who, required=True)
    if not wants_enabled(layer, {}):
        schedule = _paused(schedule, who.reason)
    return Edit(schedule, _change(None, schedule, who, action))


def _earliest(trigger: Trigger, now: datetime, past: Past) -> datetime:
    """The moment after which the first occurrence may lie.

    A single time that has just passed still counts, and with `run_now` one long past does;
    recurring rules never fire the past.
    """
    if trigger.recurring:
        return now
    if past == "run_now":
        return datetime.min.replace(tzinfo=now.tzinfo)
    return now - TOLERANCE


def _target(wanted: Declaration) -> dict[str, Any]:
    given = wanted.wishes.get("target")
    return dict(given) if given is not None else {"type": "handler", "name": wanted.job_key}


def _anchored(before: JsonObject, given: Trigger, start: datetime, seed: str) -> Trigger:
    """`given`, counting from the schedule's start, in whole seconds as its keys are.

    The same rule given again keeps what was filled in, so that no restart and no form shifts it.
    """
    rule = given.to_json()
    if same_rule(before, rule) and all(rule.get(name) is None for name in FILLED_IN):
        return trigger_from_json(before)
    return given.anchored(start.replace(microsecond=0), seed)


def _seed(scope: Scope, key: str) -> str:
    """What a rule spreads by: it outlives deletion, and differs from tenant to tenant."""
    return f"{scope.key}/{key}"


def _described(schedule: Schedule, wishes: Wishes) -> Schedule:
    texts = ("name", "description", "category", "source", "metadata")
    return replace(schedule, **{name: wishes.get(name) for name in texts if name in wishes})


def _check_bounds(schedule: Schedule) -> None:
    if schedule.starts_at and schedule.ends_at and schedule.ends_at < schedule.starts_at:
        raise InvalidInput("endsAt", "lies before startsAt")


def _reconsidered(before: Schedule, after: Schedule, who: Who, past: Past = "refuse") -> Schedule:
    """`after` with its next occurrence found again where the edit calls for it."""
    if before.status in _ENDED:
        return _revived(after, who, past) if _gives_more(before, after) else after
    if after.status is not ScheduleStatus.ACTIVE:
        return after
    if _has_another_rule(before, after):
        return _rearmed(after, who, past, required=True)
    if before.max_runs != after.max_runs and (after.next_run_at is None or _exhausted(after)):
        return _rearmed(after, who, past, required=False)
    return after


def _has_another_rule(before: Schedule, after: Schedule) -> bool:
    return (
        not same_rule(before.trigger, after.trigger)
        or any(before.trigger.get(name) != after.trigger.get(name) for name in FILLED_IN)
        or (before.starts_at, before.ends_at) != (after.starts_at, after.ends_at)
        or before.timing != after.timing
        or before.cursor.parked is not None
    )


def _gives_more(before: Schedule, after: Schedule) -> bool:
    """Another rule, a later end or more runs: what brings an ended schedule back."""
    ends_later = before.ends_at and (after.ends_at is None or after.ends_at > before.ends_at)
    runs_more = before.max_runs and (after.max_runs is None or after.max_runs > before.max_runs)
    return not same_rule(before.trigger, after.trigger) or bool(ends_later or runs_more)


def _revived(schedule: Schedule, who: Who, past: Past) -> Schedule:
    active = replace(schedule, status=ScheduleStatus.ACTIVE, status_reason=None)
    return _rearmed(active, who, past, required=True)


def _rearmed(schedule: Schedule, who: Who, past: Past, *, required: bool) -> Schedule:
    trigger = trigger_from_json(schedule.trigger)
    base = _earliest(trigger, who.now, past)
    if schedule.cursor.decided_through is not None:
        base = max(base, schedule.cursor.decided_through)
    return _armed(schedule, trigger, base, who, required=required)


def _exhausted(schedule: Schedule) -> bool:
    return schedule.max_runs is not None and schedule.cursor.fired_count >= schedule.max_runs


def rewoken(schedule: Schedule, who: Who) -> Cursor | None:
    """Its cursor, woken when its calendars say now; None when that is as it was."""
    if schedule.cursor.next_run_at is None or schedule.timing is None:
        return None
    course = _course(schedule, trigger_from_json(schedule.trigger), who)
    wake = wake_at(course, schedule.cursor.nominal)
    if wake == schedule.cursor.next_run_at:
        return None
    return replace(schedule.cursor, next_run_at=wake)


def _course(schedule: Schedule, trigger: Trigger, who: Who) -> Course:
    timing = schedule.timing
    course = Course(trigger, next_after, schedule.ends_at, timing, None, schedule.id)
    if timing is not None and timing.calendars:
        texts = [who.calendars[key] for key in sorted(timing.calendars) if key in who.calendars]
        course.open_times = open_times(timing, tuple(texts))
    return course


def _armed(
    schedule: Schedule, trigger: Trigger, base: datetime, who: Who, *, required: bool
) -> Schedule:
    cursor = schedule.cursor
    upcoming, nominal = begin(_course(schedule, trigger, who), base, schedule.starts_at)
    if upcoming is None and required:
        raise InvalidInput("trigger", _never(trigger, schedule))
    if _exhausted(schedule):
        if required:
            raise InvalidInput("maxRuns", f"{cursor.fired_count} runs have been made already")
        upcoming = nominal = None
    armed = replace(
        cursor,
        next_run_at=upcoming,
        next_nominal=None if schedule.timing is None else nominal,
        spent=upcoming is None,
        parked=None,
    )
    return replace(schedule, cursor=armed)


def _never(trigger: Trigger, schedule: Schedule) -> str:
    if not trigger.recurring:
        bounds = schedule.starts_at or schedule.ends_at
        return (
            f"its only time ({trigger.describe()}) lies "
            f"{'outside its bounds' if bounds else 'in the past; use past=run_now to run it now'}"
        )
    return "it has no occurrence between now and its end"


def _paused(schedule: Schedule, reason: str | None) -> Schedule:
    return replace(
        schedule,
        status=ScheduleStatus.PAUSED,
        status_reason=reason,
        cursor=replace(schedule.cursor, next_run_at=None, next_nominal=None),
    )


def _resumed(schedule: Schedule, who: Who) -> Schedule:
    active = replace(schedule, status=ScheduleStatus.ACTIVE, status_reason=None)
    armed = _rearmed(active, who, "refuse", required=False)
    if armed.cursor.next_run_at is None:
        raise NotPossible(
            "nothing is left to run: its time passed while it was paused; "
            "give it a new time or trigger it by hand"
        )
    return armed


def _as_enabled(before: Schedule, after: Schedule, who: Who) -> Schedule:
    """The status that the layers in force ask for; ended schedules stay ended."""
    enabled = wants_enabled(after.registered, after.override)
    if not enabled and after.status is ScheduleStatus.ACTIVE:
        return _paused(after, who.reason)
    if enabled and before.status is ScheduleStatus.PAUSED:
        return _resumed(after, who)
    return after


def _disarmed(cursor: Cursor) -> Cursor:
    return replace(cursor, next_run_at=None, next_nominal=None, spent=False)


def _present(current: Schedule | None, ref: object) -> Schedule:
    if current is None:
        raise NotFound(f"there is no schedule {ref!s}")
    return current


def _edit(
    before: Schedule, after: Schedule, who: Who, action: str, *, cancel_queued: bool = False
) -> Edit:
    after = replace(after, version=before.version + 1, updated_at=who.now)
    return Edit(after, _change(before, after, who, action), cancel_queued)


def _change(before: Schedule | None, after: Schedule, who: Who, action: str) -> Change:
    return Change(
        scope=after.scope,
        at=who.now,
        action=action,
        resource="schedule",
        resource_id=after.id,
        resource_key=after.key,
        actor=who.actor,
        reason=who.reason,
        before=before.configuration() if before else None,
        after=after.configuration(),
        version=after.version,
    )
