"""Registering again: idempotent, never undoing what somebody overrode, never firing the past."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput, NotPossible
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
    WHOLE,
    created,
    declared,
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


def test_the_first_registration_creates() -> None:
    edit = edits.register(None, declared(), who())
    assert edit is not None
    assert (edit.change.action, edit.change.before) == ("register", None)
    assert edit.schedule.next_run_at == WHOLE + 17 * HOUR


def test_the_same_registration_changes_nothing() -> None:
    first = registered(None, HOURLY, NOW, payload={"a": 1}, description="x", ends_at=WHOLE + DAY)
    assert (
        registered(first, HOURLY, payload={"a": 1}, description="x", ends_at=WHOLE + DAY) is first
    )


def test_the_same_interval_is_not_restarted() -> None:
    first = registered(None, HOURLY, NOW)
    again = registered(first, HOURLY, WHOLE + 30 * MINUTE, description="new words")
    assert again.trigger == first.trigger
    assert again.next_run_at == WHOLE + HOUR


def test_another_interval_counts_from_its_registration() -> None:
    again = registered(registered(None, HOURLY, NOW), every("2h"), WHOLE + 30 * MINUTE)
    assert again.trigger["anchor"] == "2026-03-02T09:30:00Z"
    assert again.next_run_at == WHOLE + 2.5 * HOUR


def test_a_spread_rule_keeps_its_time_and_differs_from_schedule_to_schedule() -> None:
    first = registered(None, cron("H H * * *"), NOW)
    assert first.trigger["seed"] == "acme/nightly"
    again = registered(first, cron("H H * * *"), LATER)
    assert again is first
    other = registered(None, cron("H H * * *"), NOW, key="hourly")
    assert other.next_run_at != first.next_run_at
    given = registered(first, cron("H H * * *", seed="mine"), LATER)
    assert given.trigger["seed"] == "mine"
    assert given.next_run_at != first.next_run_at


def test_an_anchor_that_is_given_wins() -> None:
    first = registered(None, HOURLY, NOW)
    again = registered(first, every("1h", anchor=WHOLE + MINUTE), LATER)
    assert again.next_run_at == LATER.replace(microsecond=0) + MINUTE


def test_words_and_work_change_without_touching_the_next_occurrence() -> None:
    first = registered(None, HOURLY, NOW)
    edit = edits.register(
        first,
        declared(HOURLY, job_key="other", payload={"b": 2}, name="Other", metadata={"m": 1}),
        who(LATER),
    )
    assert edit is not None
    after = edit.schedule
    assert (after.job_key, after.payload, after.name) == ("other", {"b": 2}, "Other")
    assert after.target == {"type": "handler", "name": "other"}
    assert (after.cursor, after.version, after.updated_at) == (first.cursor, 2, LATER)
    assert (edit.change.action, edit.change.before) == ("register", first.configuration())


def test_another_rule_is_armed_strictly_after_now() -> None:
    again = registered(registered(None, NIGHTLY, NOW), cron("0 * * * *"), WHOLE + HOUR)
    assert again.next_run_at == WHOLE + 2 * HOUR


def test_what_was_left_out_goes_back_to_its_default() -> None:
    first = registered(None, NIGHTLY, NOW, payload={"a": 1}, max_runs=3, misfire="skip")
    again = registered(first)
    assert (again.payload, again.max_runs, again.misfire.value) == ({}, None, "fire_once")


# Overrides


def test_an_overridden_rule_stays_in_force_whatever_is_registered() -> None:
    edited = updated(registered(None, NIGHTLY, NOW), cron("0 4 * * *"))
    again = registered(edited, cron("0 6 * * *"))
    assert again.trigger["expression"] == "0 4 * * *"
    assert again.registered["trigger"]["trigger"]["expression"] == "0 6 * * *"
    assert again.next_run_at == edited.next_run_at


def test_an_override_holds_its_group_and_leaves_the_others_to_registration() -> None:
    edited = updated(registered(None, NIGHTLY, NOW, max_runs=3, payload={"a": 1}), max_runs=9)
    again = registered(edited, max_runs=4, misfire="skip", payload={"b": 2})
    assert (again.max_runs, again.misfire.value) == (9, "fire_once")
    assert again.payload == {"b": 2}


def test_a_pause_by_hand_survives_registration() -> None:
    again = registered(paused(registered(None, NIGHTLY, NOW)), cron("0 6 * * *"), enabled=True)
    assert (again.status, again.next_run_at) == (ScheduleStatus.PAUSED, None)


def test_a_resume_by_hand_survives_a_registration_that_disables() -> None:
    off = registered(None, NIGHTLY, NOW, enabled=False)
    again = registered(resumed(off), enabled=False, description="new words")
    assert again.status is ScheduleStatus.ACTIVE


def test_disabling_really_stops_and_enabling_goes_on_from_now() -> None:
    first = registered(None, HOURLY, NOW)
    off = registered(first, HOURLY, enabled=False)
    assert (off.status, off.next_run_at) == (ScheduleStatus.PAUSED, None)
    on = registered(off, HOURLY, now=LATER + DAY)
    assert on.status is ScheduleStatus.ACTIVE
    assert on.next_run_at == LATER.replace(microsecond=0) + DAY + HOUR


# Ended schedules


def test_an_ended_schedule_stays_ended_when_registered_as_before() -> None:
    over = ended(registered(None, at(WHOLE + HOUR), NOW))
    assert registered(over, at(WHOLE + HOUR)) is over
    reworded = registered(over, at(WHOLE + HOUR), description="new words")
    assert (reworded.status, reworded.next_run_at) == (ScheduleStatus.COMPLETED, None)


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_new_time_brings_an_ended_schedule_back(status: str) -> None:
    over = ended(registered(None, at(WHOLE + HOUR), NOW), status)
    again = registered(over, at(WHOLE + DAY))
    assert (again.status, again.next_run_at) == (ScheduleStatus.ACTIVE, WHOLE + DAY)


def test_more_permitted_runs_bring_a_completed_schedule_back() -> None:
    over = ended(registered(None, HOURLY, NOW, max_runs=1))
    assert registered(over, HOURLY, max_runs=1) is over
    again = registered(over, HOURLY, max_runs=2)
    assert (again.status, again.next_run_at) == (ScheduleStatus.ACTIVE, WHOLE + 4 * HOUR)


def test_a_later_end_brings_a_completed_schedule_back() -> None:
    over = ended(registered(None, HOURLY, NOW, ends_at=WHOLE + HOUR))
    again = registered(over, HOURLY, ends_at=WHOLE + DAY)
    assert (again.status, again.next_run_at) == (ScheduleStatus.ACTIVE, WHOLE + 4 * HOUR)


def test_a_new_time_in_the_past_is_refused_unless_it_may_run_now() -> None:
    over = ended(registered(None, at(WHOLE + HOUR), NOW))
    with pytest.raises(InvalidInput, match="past=run_now"):
        registered(over, at(WHOLE + 2 * HOUR), now=LATER)
    again = registered(over, at(WHOLE + 2 * HOUR), now=LATER, past="run_now")
    assert (again.status, again.next_run_at) == (ScheduleStatus.ACTIVE, WHOLE + 2 * HOUR)


def test_what_was_decided_already_does_not_run_again_even_when_the_past_may() -> None:
    over = ended(registered(None, at(WHOLE + 2 * HOUR), NOW))
    with pytest.raises(InvalidInput):
        registered(over, at(WHOLE + HOUR), now=LATER, past="run_now")


def test_a_cancelled_schedule_is_not_registered_back_to_life() -> None:
    edit = edits.cancel(registered(None, NIGHTLY, NOW), "nightly", who())
    assert edit is not None
    again = registered(edit.schedule, cron("0 6 * * *"))
    assert (again.status, again.next_run_at) == (ScheduleStatus.CANCELLED, None)


def test_enabling_a_single_time_that_passed_meanwhile_is_told_not_run() -> None:
    off = once(HOUR, enabled=False)
    with pytest.raises(NotPossible, match="time passed"):
        registered(off, at(WHOLE + HOUR))


@pytest.mark.parametrize("rule", [NIGHTLY.to_json(), {"type": "cron", "expression": "broken"}])
def test_a_parked_schedule_is_armed_again_by_its_registration(rule: dict[str, Any]) -> None:
    parked = with_cursor(created(), next_run_at=None, parked="ValueError: broken")
    again = registered(replace(parked, trigger=rule))
    assert again.cursor.parked is None
    assert again.next_run_at == WHOLE + 17 * HOUR
