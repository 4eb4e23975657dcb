"""Changing a schedule: an override, recomputed only where the rule changed, never in the past."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput, NotFound, NotPossible, VersionConflict
from tickwright.model.schedule import ScheduleStatus
from tickwright.service import edits
from tickwright.triggers.cron import cron
from tickwright.triggers.interval import every
from tickwright.triggers.one_shot import at

from .support import (
    DAY,
    HOUR,
    LATER,
    MINUTE,
    NIGHTLY,
    NOW,
    SECOND,
    WHOLE,
    created,
    ended,
    once,
    paused,
    updated,
    who,
    wishes,
    with_cursor,
)

HOURLY = every("1h")


@pytest.mark.parametrize(
    "options",
    [
        {"payload": {"a": 1}},
        {"target": {"type": "handler", "name": "other"}},
        {"misfire": "skip"},
        {"overlap": "allow"},
        {"name": "Other"},
        {"description": None},
        {"metadata": {"a": 1}},
        {"enabled": True},
        {"max_runs": 5},
    ],
)
def test_what_is_not_the_rule_leaves_the_next_occurrence_alone(options: dict[str, Any]) -> None:
    overdue = with_cursor(created(HOURLY), next_run_at=WHOLE + HOUR)
    after = updated(overdue, **options)
    assert after.cursor == overdue.cursor
    assert (after.version, after.updated_at) == (2, LATER)


@pytest.mark.parametrize(
    ("options", "upcoming"),
    [
        ({"trigger": cron("15 * * * *")}, WHOLE + 3 * HOUR + 15 * MINUTE),
        ({"trigger": every("2h")}, LATER.replace(microsecond=0) + 2 * HOUR),
        ({"starts_at": WHOLE + DAY}, WHOLE + DAY),
        ({"ends_at": WHOLE + DAY}, WHOLE + 4 * HOUR),
    ],
)
def test_another_rule_or_other_bounds_are_armed_strictly_after_now(
    options: dict[str, Any], upcoming: Any
) -> None:
    overdue = with_cursor(created(HOURLY), next_run_at=WHOLE + HOUR)
    assert updated(overdue, **options).next_run_at == upcoming


def test_a_rule_that_was_changed_never_goes_back_behind_what_is_decided() -> None:
    ahead = with_cursor(created(HOURLY), decided_through=WHOLE + DAY)
    assert updated(ahead, cron("30 * * * *")).next_run_at == WHOLE + DAY + 30 * MINUTE


def test_an_interval_given_again_is_not_restarted() -> None:
    first = created(HOURLY)
    again = updated(first, HOURLY, now=WHOLE + 30 * MINUTE, description="the whole form was sent")
    assert (again.trigger, again.cursor) == (first.trigger, first.cursor)


def test_another_interval_counts_from_its_start_as_at_creation() -> None:
    later = updated(created(NIGHTLY), HOURLY, starts_at=WHOLE + DAY + 5 * MINUTE)
    assert later.next_run_at == WHOLE + DAY + 5 * MINUTE
    now = updated(created(NIGHTLY), HOURLY)
    assert now.trigger["anchor"] == "2026-03-02T12:00:00Z"


def test_an_edit_overrides_its_group_and_keeps_the_rest_of_it() -> None:
    schedule = created(payload={"a": 1}, max_runs=3, misfire="skip")
    after = updated(schedule, max_runs=7)
    assert after.override == {
        "policy": {
            "max_runs": 7,
            "misfire": "skip",
            "overlap": "skip",
            "overlap_limit": 1,
            "allow_manual": True,
        }
    }
    assert after.registered == schedule.registered
    assert (after.max_runs, after.misfire.value, after.payload) == (7, "skip", {"a": 1})
    again = updated(after, overlap="allow")
    assert again.override["policy"] == {
        "max_runs": 7,
        "misfire": "skip",
        "overlap": "allow",
        "overlap_limit": 1,
        "allow_manual": True,
    }


def test_words_about_a_schedule_are_no_override() -> None:
    assert updated(created(), name="Other", metadata={"a": 1}).override == {}


def test_the_change_holds_the_configuration_before_and_after() -> None:
    before = created()
    edit = edits.update(before, "nightly", wishes(max_runs=2), None, who(LATER, "bob", "calmer"))
    assert (edit.change.action, edit.change.actor) == ("update", "bob")
    assert (edit.change.before, edit.change.after) == (
        before.configuration(),
        edit.schedule.configuration(),
    )
    assert (edit.change.version, edit.change.reason) == (2, "calmer")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"trigger": at(NOW)}, "trigger"),
        ({"trigger": cron("0 9 1 1 *"), "ends_at": WHOLE + DAY}, "trigger"),
        ({"ends_at": LATER - SECOND}, "trigger"),
        ({"starts_at": WHOLE + DAY, "ends_at": WHOLE + HOUR}, "endsAt"),
    ],
)
def test_a_change_after_which_it_would_never_happen_is_refused_by_field(
    options: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        updated(created(HOURLY), **options)
    assert refused.value.field == field


def test_new_bounds_are_checked_against_those_in_force() -> None:
    with pytest.raises(InvalidInput) as refused:
        updated(created(HOURLY, starts_at=WHOLE + DAY), ends_at=WHOLE + HOUR)
    assert refused.value.field == "endsAt"


def test_an_unknown_schedule_cannot_be_changed() -> None:
    with pytest.raises(NotFound, match="nightly"):
        edits.update(None, "nightly", wishes(max_runs=1), None, who())


def test_a_cancelled_schedule_cannot_be_changed() -> None:
    cancelled = edits.cancel(created(), "nightly", who())
    assert cancelled is not None
    with pytest.raises(NotPossible, match="cancelled"):
        updated(cancelled.schedule, description="x")


def test_a_stale_version_is_told_with_both_versions() -> None:
    edits.check_version(created(), 1)
    edits.check_version(created(), None)
    edits.check_version(None, 3)
    with pytest.raises(VersionConflict, match=r"version 7 .* version 1"):
        edits.check_version(created(), 7)


# The status that an edit asks for


def test_disabling_pauses_and_enabling_goes_on_from_now() -> None:
    off = updated(created(HOURLY), enabled=False)
    assert (off.status, off.next_run_at) == (ScheduleStatus.PAUSED, None)
    on = updated(off, now=LATER + HOUR, enabled=True)
    assert (on.status, on.next_run_at) == (ScheduleStatus.ACTIVE, WHOLE + 5 * HOUR)


def test_a_paused_schedule_takes_a_new_rule_and_stays_paused() -> None:
    after = updated(paused(created(HOURLY)), NIGHTLY)
    assert (after.status, after.next_run_at) == (ScheduleStatus.PAUSED, None)
    assert after.trigger["expression"] == "0 2 * * *"


# The number of permitted runs


def test_permitting_no_more_than_were_made_spends_the_schedule() -> None:
    after = updated(with_cursor(created(HOURLY), fired_count=3), max_runs=3)
    assert (after.next_run_at, after.cursor.spent) == (None, True)
    assert after.status is ScheduleStatus.ACTIVE


def test_permitting_more_while_the_last_run_is_open_goes_on() -> None:
    last_one_open = with_cursor(
        created(HOURLY, max_runs=1),
        next_run_at=None,
        decided_through=WHOLE + HOUR,
        fired_count=1,
        spent=True,
    )
    after = updated(last_one_open, max_runs=2)
    assert (after.next_run_at, after.cursor.spent) == (WHOLE + 4 * HOUR, False)


# Ended schedules


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_new_time_brings_an_ended_schedule_back(status: str) -> None:
    again = updated(ended(once(), status), at(WHOLE + DAY))
    assert (again.status, again.next_run_at) == (ScheduleStatus.ACTIVE, WHOLE + DAY)
    assert again.cursor.spent is False


def test_more_permitted_runs_bring_a_completed_schedule_back() -> None:
    over = ended(created(HOURLY, max_runs=1))
    for limit in (2, None):
        again = updated(over, max_runs=limit)
        assert (again.status, again.next_run_at) == (ScheduleStatus.ACTIVE, WHOLE + 4 * HOUR)


def test_permitting_no_more_runs_than_were_made_is_refused() -> None:
    over = ended(created(HOURLY, max_runs=5), fired_count=5)
    with pytest.raises(InvalidInput) as refused:
        updated(over, NIGHTLY, max_runs=5)
    assert refused.value.field == "maxRuns"


def test_a_later_end_brings_a_completed_schedule_back() -> None:
    over = ended(created(HOURLY, ends_at=WHOLE + HOUR))
    for end in (WHOLE + DAY, None):
        again = updated(over, ends_at=end)
        assert (again.status, again.next_run_at) == (ScheduleStatus.ACTIVE, WHOLE + 4 * HOUR)


@pytest.mark.parametrize(
    "options",
    [
        {"description": "x"},
        {"payload": {"a": 1}},
        {"max_runs": 1},
        {"enabled": True},
        {"trigger": at(WHOLE + HOUR)},
    ],
)
def test_an_edit_that_gives_nothing_to_do_leaves_an_ended_schedule_ended(
    options: dict[str, Any],
) -> None:
    over = ended(once(HOUR, max_runs=1))
    after = updated(over, **options)
    assert (after.status, after.next_run_at) == (ScheduleStatus.COMPLETED, None)


def test_an_ended_schedule_that_was_disabled_comes_back_paused() -> None:
    again = updated(updated(ended(once()), enabled=False), at(WHOLE + DAY))
    assert (again.status, again.next_run_at) == (ScheduleStatus.PAUSED, None)


def test_an_edit_arms_a_parked_schedule_again() -> None:
    parked = with_cursor(created(), next_run_at=None, parked="ValueError: broken")
    broken = replace(parked, trigger={"type": "cron", "expression": "broken"})
    after = updated(broken, cron("0 6 * * *"))
    assert (after.cursor.parked, after.next_run_at) == (None, WHOLE + 21 * HOUR)
