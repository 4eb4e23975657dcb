"""Pause, resume, cancel, delete: what each makes of a schedule, and when it is not possible."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwright.engine.planning import plan
from tickwright.model.errors import NotFound, NotPossible
from tickwright.model.plan import Due
from tickwright.model.schedule import Schedule, ScheduleStatus
from tickwright.service import edits
from tickwright.service.edits import Who
from tickwright.store.base import Edit
from tickwright.triggers import trigger_from_json
from tickwright.triggers.cron import cron
from tickwright.triggers.interval import every

from .support import (
    DAY,
    HOUR,
    LATER,
    NOW,
    WHOLE,
    created,
    ended,
    once,
    paused,
    registered,
    resumed,
    updated,
    who,
    with_cursor,
)

HOURLY = every("1h")
Operation = Callable[[Schedule | None, object, Who], Edit | None]
OPERATIONS = [edits.pause, edits.resume, edits.cancel, edits.delete]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_unknown_schedule_is_told_by_the_name_it_was_asked_for(operation: Operation) -> None:
    with pytest.raises(NotFound, match="nightly"):
        operation(None, "nightly", who())


def test_a_paused_schedule_waits_for_nothing_and_says_why() -> None:
    edit = edits.pause(created(HOURLY), "nightly", who(LATER, "bob", "too noisy"))
    assert edit is not None
    after = edit.schedule
    assert (after.status, after.status_reason) == (ScheduleStatus.PAUSED, "too noisy")
    assert (after.next_run_at, after.version) == (None, 2)
    assert after.override == {"status": {"enabled": False}}
    assert (edit.change.action, edit.change.actor, edit.cancel_queued) == ("pause", "bob", False)


def test_resuming_goes_on_strictly_after_now_however_long_the_pause_was() -> None:
    stopped = paused(with_cursor(created(HOURLY), decided_through=WHOLE + HOUR), reason="noisy")
    after = resumed(stopped, LATER + 30 * DAY)
    assert after.next_run_at == WHOLE + 30 * DAY + 4 * HOUR
    assert (after.status, after.status_reason) == (ScheduleStatus.ACTIVE, None)
    assert after.cursor.decided_through == WHOLE + HOUR


def test_a_pause_keeps_what_is_decided_and_counted() -> None:
    going = with_cursor(created(HOURLY), decided_through=WHOLE + HOUR, fired_count=4)
    assert paused(going).cursor.fired_count == 4
    assert paused(going).cursor.decided_through == WHOLE + HOUR


def test_pausing_or_resuming_twice_changes_nothing() -> None:
    assert edits.pause(paused(created()), "nightly", who()) is None
    assert edits.resume(created(), "nightly", who()) is None


def test_a_single_time_that_passed_while_it_was_paused_is_told_not_run() -> None:
    with pytest.raises(NotPossible, match="its time passed while it was paused"):
        resumed(paused(once(HOUR)), LATER)


def test_a_single_time_still_ahead_is_resumed() -> None:
    assert resumed(paused(once(DAY))).next_run_at == WHOLE + DAY


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_an_ended_schedule_can_be_neither_paused_nor_resumed(status: str) -> None:
    over = ended(once(), status)
    with pytest.raises(NotPossible, match=f"a {status} schedule cannot become paused"):
        edits.pause(over, "nightly", who())
    with pytest.raises(NotPossible, match=f"a {status} schedule cannot be resumed"):
        edits.resume(over, "nightly", who())
    with pytest.raises(NotPossible, match=f"a {status} schedule cannot become cancelled"):
        edits.cancel(over, "nightly", who())


@pytest.mark.parametrize("before", [created(HOURLY), paused(created(HOURLY))])
def test_cancelling_ends_a_schedule_and_its_queued_runs_for_good(before: Schedule) -> None:
    edit = edits.cancel(before, "nightly", who(LATER, "bob", "no longer wanted"))
    assert edit is not None
    after = edit.schedule
    assert (after.status, after.next_run_at) == (ScheduleStatus.CANCELLED, None)
    assert (after.status_reason, edit.cancel_queued) == ("no longer wanted", True)
    assert edits.cancel(after, "nightly", who()) is None
    with pytest.raises(NotPossible):
        edits.resume(after, "nightly", who())
    with pytest.raises(NotPossible):
        edits.pause(after, "nightly", who())


def test_cancelling_while_the_last_run_is_open_does_not_end_it_as_completed() -> None:
    last_one_open = with_cursor(once(), next_run_at=None, spent=True)
    edit = edits.cancel(last_one_open, "nightly", who())
    assert edit is not None
    assert edit.schedule.cursor.spent is False


@pytest.mark.parametrize("before", [created(HOURLY), paused(created(HOURLY)), ended(once())])
def test_deleting_is_possible_in_any_status(before: Schedule) -> None:
    edit = edits.delete(before, "nightly", who(LATER))
    assert (edit.schedule.deleted_at, edit.schedule.next_run_at) == (LATER, None)
    assert (edit.change.action, edit.cancel_queued) == ("delete", True)
    assert edit.schedule.status is before.status


# Whatever is done in whatever order, the past is never fired

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["fire", "pause", "resume", "enable", "rule", "other rule", "register"]),
        st.sampled_from([1, 1800, 3600, 100_000]),
    ),
    max_size=12,
)


def act(schedule: Schedule, action: str, now: datetime) -> Schedule:
    match action:
        case "pause" if schedule.status is not ScheduleStatus.PAUSED:
            return paused(schedule, now)
        case "resume" if schedule.status is not ScheduleStatus.ACTIVE:
            return resumed(schedule, now)
        case "enable":
            return updated(schedule, now=now, enabled=True)
        case "rule":
            return updated(schedule, HOURLY, now)
        case "other rule":
            return updated(schedule, cron("*/7 * * * *"), now)
        case "register":
            return registered(schedule, HOURLY, now)
    return schedule


def fired(schedule: Schedule, due: datetime, now: datetime) -> Schedule:
    rule = trigger_from_json(schedule.trigger)
    made = plan(Due(schedule.id, "", due, schedule.cursor.fired_count), rule, now)
    return with_cursor(schedule, next_run_at=made.next_run_at, decided_through=made.decided_through)


@given(ACTIONS)
def test_no_edit_pause_resume_or_registration_fires_the_past(
    actions: list[tuple[str, int]],
) -> None:
    schedule, now = created(HOURLY), NOW
    for action, seconds in actions:
        now += timedelta(seconds=seconds)
        due, decided = schedule.next_run_at, schedule.cursor.decided_through
        if action == "fire" and due is not None and due <= now:
            assert decided is None or due > decided
            schedule = fired(schedule, due, now)
        else:
            schedule = act(schedule, action, now)
            assert schedule.next_run_at in (None, due) or schedule.next_run_at > max(
                now, decided or now
            )
