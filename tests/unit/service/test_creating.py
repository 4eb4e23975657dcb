"""Creating a schedule: its first occurrence lies ahead, its layers and its audit are complete."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tickwright.model.errors import Conflict, InvalidInput
from tickwright.model.schedule import Misfire, Overlap, ScheduleStatus
from tickwright.service import edits
from tickwright.triggers import Trigger
from tickwright.triggers.cron import cron
from tickwright.triggers.interval import every
from tickwright.triggers.one_shot import at

from .support import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    NIGHTLY,
    NOW,
    SECOND,
    WHOLE,
    created,
    declared,
    who,
)


@pytest.mark.parametrize(
    ("rule", "options", "first"),
    [
        (NIGHTLY, {}, WHOLE + 17 * HOUR),
        (cron("0 9 * * *"), {}, WHOLE + DAY),
        (every("1h"), {}, WHOLE + HOUR),
        (every("1h"), {"starts_at": WHOLE + 2 * DAY}, WHOLE + 2 * DAY),
        (every("7h"), {"starts_at": WHOLE - DAY}, WHOLE + 4 * HOUR),
        (every("1h", anchor=WHOLE + MINUTE), {}, WHOLE + MINUTE),
        (NIGHTLY, {"starts_at": WHOLE + 3 * DAY}, WHOLE + 3 * DAY + 17 * HOUR),
        (NIGHTLY, {"ends_at": WHOLE + 17 * HOUR}, WHOLE + 17 * HOUR),
        (at(WHOLE + 400 * DAY), {}, WHOLE + 400 * DAY),
    ],
)
def test_the_first_occurrence_is_the_next_one_after_now_and_the_start(
    rule: Trigger, options: dict[str, Any], first: datetime
) -> None:
    schedule = created(rule, **options)
    assert schedule.next_run_at == first
    assert schedule.status is ScheduleStatus.ACTIVE
    assert (schedule.cursor.fired_count, schedule.cursor.spent) == (0, False)


def test_an_interval_counts_from_the_whole_second_of_its_creation() -> None:
    assert created(every("1h")).trigger == {
        "type": "interval",
        "every": "1h",
        "anchor": "2026-03-02T09:00:00Z",
    }


@pytest.mark.parametrize("ago", [SECOND, 59 * SECOND])
def test_a_single_time_that_has_just_passed_still_counts(ago: timedelta) -> None:
    assert created(at(NOW - ago)).next_run_at == NOW - ago


def test_a_single_time_in_the_past_is_refused_and_the_way_out_is_told() -> None:
    with pytest.raises(InvalidInput, match="past=run_now") as refused:
        created(at(NOW - 61 * SECOND))
    assert refused.value.field == "trigger"


def test_a_single_time_in_the_past_runs_at_once_when_asked_to() -> None:
    moment = WHOLE - 400 * DAY
    assert created(at(moment), past="run_now").next_run_at == moment


def test_a_recurring_rule_never_fires_the_past_whatever_is_asked() -> None:
    rule = every("1h", anchor=WHOLE - DAY)
    assert created(rule, past="run_now").next_run_at == WHOLE + HOUR


@pytest.mark.parametrize(
    ("rule", "options", "field"),
    [
        (NIGHTLY, {"ends_at": WHOLE + HOUR}, "trigger"),
        (NIGHTLY, {"ends_at": WHOLE - HOUR}, "trigger"),
        (at(WHOLE + HOUR), {"ends_at": WHOLE + MINUTE}, "trigger"),
        (at(WHOLE + HOUR), {"starts_at": WHOLE + 2 * HOUR}, "trigger"),
        (NIGHTLY, {"starts_at": WHOLE + DAY, "ends_at": WHOLE}, "endsAt"),
    ],
)
def test_a_schedule_that_would_never_happen_is_refused_by_field(
    rule: Trigger, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        created(rule, **options)
    assert refused.value.field == field


def test_a_schedule_created_disabled_is_paused_and_waits_for_nothing() -> None:
    schedule = created(enabled=False)
    assert schedule.status is ScheduleStatus.PAUSED
    assert schedule.next_run_at is None


def test_a_taken_key_is_a_conflict_that_names_it() -> None:
    with pytest.raises(Conflict, match="'nightly'"):
        edits.create(created(), declared(), who())


def test_without_a_target_the_handler_of_the_jobs_name_runs() -> None:
    assert created().target == {"type": "handler", "name": "report"}
    assert created().handler == "report"
    elsewhere = {"type": "handler", "name": "other"}
    assert created(target=elsewhere).target == elsewhere


def test_everything_that_was_declared_is_in_force_and_on_the_registered_layer() -> None:
    schedule = created(
        every("1h"),
        payload={"list": 7},
        max_runs=5,
        misfire="skip",
        overlap="allow",
        name="Nightly report",
        description="For ada",
        category="reports",
        source="module",
        metadata={"a": 1},
        ends_at=WHOLE + DAY,
    )
    assert (schedule.scope, schedule.key, schedule.job_key) == (ACME, "nightly", "report")
    assert (schedule.payload, schedule.max_runs) == ({"list": 7}, 5)
    assert (schedule.misfire, schedule.overlap) == (Misfire.SKIP, Overlap.ALLOW)
    assert (schedule.name, schedule.description) == ("Nightly report", "For ada")
    assert (schedule.category, schedule.source, schedule.metadata) == (
        "reports",
        "module",
        {"a": 1},
    )
    assert schedule.override == {}
    assert schedule.registered == {
        "trigger": {
            "trigger": {"type": "interval", "every": "1h", "anchor": "2026-03-02T09:00:00Z"},
            "starts_at": None,
            "ends_at": "2026-03-03T09:00:00Z",
            "calendars": [],
            "on_closed": "skip",
            "window": None,
            "outside_window": "skip",
            "jitter": "0s",
        },
        "target": {"target": {"type": "handler", "name": "report"}, "payload": {"list": 7}},
        "policy": {
            "max_runs": 5,
            "misfire": "skip",
            "overlap": "allow",
            "overlap_limit": 1,
            "allow_manual": True,
        },
        "status": {"enabled": True},
    }


def test_the_change_tells_who_made_what() -> None:
    edit = edits.create(None, declared(), who(actor="ada", reason="asked for"))
    change, schedule = edit.change, edit.schedule
    assert (change.action, change.resource, change.actor) == ("create", "schedule", "ada")
    assert (change.resource_id, change.resource_key) == (schedule.id, "nightly")
    assert (change.before, change.after) == (None, schedule.configuration())
    assert (change.at, change.version, change.reason) == (NOW, 1, "asked for")
    assert (schedule.created_by, schedule.created_at, schedule.version) == ("ada", NOW, 1)
    assert edit.cancel_queued is False
