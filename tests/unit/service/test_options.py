"""What a caller may say of a schedule: kept in its stored form, or refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.model.schedule import Misfire, Overlap
from tickwright.service.options import (
    MAX_DESCRIPTION,
    MAX_KEY,
    MAX_NAME,
    camel,
    check_key,
    check_note,
    check_request_key,
    check_trigger,
    made_up_key,
)
from tickwright.triggers.cron import cron
from tickwright.triggers.interval import every

from .support import NOW, WHOLE, wishes


def refused_field(error: pytest.ExceptionInfo[InvalidInput]) -> str:
    return error.value.field


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"payload": None}, "payload"),
        ({"payload": [1]}, "payload"),
        ({"payload": {"a": float("nan")}}, "payload"),
        ({"metadata": "x"}, "metadata"),
        ({"starts_at": "2026-03-01T09:00:00Z"}, "startsAt"),
        ({"starts_at": datetime(2026, 3, 1)}, "startsAt"),  # noqa: DTZ001 - naive on purpose
        ({"ends_at": 5}, "endsAt"),
        ({"starts_at": NOW, "ends_at": NOW - timedelta(seconds=1)}, "endsAt"),
        ({"max_runs": 0}, "maxRuns"),
        ({"max_runs": -1}, "maxRuns"),
        ({"max_runs": 1.0}, "maxRuns"),
        ({"max_runs": True}, "maxRuns"),
        ({"max_runs": "3"}, "maxRuns"),
        ({"max_runs": 2**62}, "maxRuns"),
        ({"misfire": "fire_some"}, "misfire"),
        ({"misfire": []}, "misfire"),
        ({"misfire": None}, "misfire"),
        ({"overlap": "sometimes"}, "overlap"),
        ({"enabled": 1}, "enabled"),
        ({"enabled": None}, "enabled"),
        ({"name": "x" * (MAX_NAME + 1)}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": 7}, "name"),
        ({"description": "x" * (MAX_DESCRIPTION + 1)}, "description"),
        ({"category": "x" * (MAX_NAME + 1)}, "category"),
        ({"source": "x" * 101}, "source"),
        ({"source": None}, "source"),
        ({"target": {"type": "handler"}}, "target.name"),
        ({"target": {"type": "handler", "name": ""}}, "target.name"),
        ({"target": {"type": "handler", "name": "x", "queue": "y"}}, "target.queue"),
        ({"retries": 3}, "retries"),
        ({"max_retries": 3}, "maxRetries"),
        ({"key": "other"}, "key"),
    ],
)
def test_a_wrong_option_is_refused_by_its_name_on_the_wire(
    options: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        wishes(**options)
    assert refused_field(refused) == field


def test_options_are_kept_in_their_stored_forms() -> None:
    said = wishes(
        payload={"a": (1, 2)},
        starts_at=NOW.astimezone(timezone(timedelta(hours=2))),
        max_runs=2**62 - 1,
        misfire="skip",
        overlap=Overlap.ALLOW,
        target={"type": "handler", "name": "other"},
        name=None,
        metadata={},
    )
    assert said.get("payload") == {"a": [1, 2]}
    assert said.get("starts_at").tzinfo is UTC
    assert said.get("misfire") is Misfire.SKIP
    assert said.get("overlap") is Overlap.ALLOW
    assert said.get("target") == {"type": "handler", "name": "other"}
    assert "name" in said
    assert "ends_at" not in said


def test_texts_may_be_as_long_as_promised() -> None:
    said = wishes(name="x" * MAX_NAME, description="x" * MAX_DESCRIPTION, source="x" * 100)
    assert set(said.given) == {"name", "description", "source"}


@pytest.mark.parametrize(
    "key", ["a", "nightly", "currencies:fetch-rates:org_1", "a.b@c", "Nightly report 2", "x" * 255]
)
def test_a_key_that_people_can_type_is_accepted(key: str) -> None:
    assert check_key("key", key) == key


@pytest.mark.parametrize(
    "key", ["", " a", "a ", "a/b", "a\nb", "a\x00", "ключ", "a?b", "x" * (MAX_KEY + 1), None, 5]
)
def test_any_other_key_is_refused_by_field(key: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_key("jobKey", key)
    assert refused_field(refused) == "jobKey"


def test_a_made_up_key_begins_like_its_job_fits_and_is_new_each_time() -> None:
    keys = {made_up_key("x" * MAX_KEY) for _ in range(3)}
    assert len(keys) == 3
    for key in keys:
        assert check_key("key", key).startswith("xxx")
    with pytest.raises(InvalidInput) as refused:
        made_up_key("a/b")
    assert refused_field(refused) == "jobKey"


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "x" * (MAX_DESCRIPTION + 1), 7])
def test_a_note_that_cannot_be_stored_is_refused_by_field(text: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_note("reason", text)
    assert refused_field(refused) == "reason"


@pytest.mark.parametrize("text", [None, "", "because ☃", "x" * MAX_DESCRIPTION])
def test_any_other_note_is_kept(text: str | None) -> None:
    assert check_note("actor", text) == text


@pytest.mark.parametrize("text", ["", "a\x00b", "x" * (MAX_NAME + 1), 7])
def test_a_request_key_must_tell_one_request_from_another(text: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_request_key(text)
    assert refused_field(refused) == "requestId"


def test_option_names_are_told_as_on_the_wire() -> None:
    assert [camel(n) for n in ("key", "max_runs", "starts_at")] == ["key", "maxRuns", "startsAt"]


def test_a_wall_clock_rule_without_a_zone_gets_the_default_one() -> None:
    rule = {"type": "cron", "expression": "0 9 * * *"}
    assert check_trigger(rule, "Europe/Berlin") == cron("0 9 * * *", tz="Europe/Berlin")
    assert check_trigger({**rule, "timezone": "UTC"}, "Europe/Berlin") == cron("0 9 * * *")
    assert rule == {"type": "cron", "expression": "0 9 * * *"}


def test_a_rule_that_has_no_wall_clock_gets_no_zone() -> None:
    assert check_trigger({"type": "interval", "every": "1h"}, "Europe/Berlin") == every("1h")


def test_a_trigger_made_by_hand_is_taken_as_it_is() -> None:
    rule = every("1h", anchor=WHOLE)
    assert check_trigger(rule) is rule


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (None, "trigger"),
        ("0 9 * * *", "trigger"),
        ([], "trigger"),
        ({}, "trigger.type"),
        ({"type": "sometimes"}, "trigger.type"),
        ({"type": []}, "trigger.type"),
        ({"type": {}}, "trigger.type"),
        ({"type": "cron", "expression": "61 * * * *"}, "trigger.expression"),
        ({"type": "cron", "expression": "0 9 * * *", "timezone": "Mars/Base"}, "trigger.timezone"),
        ({"type": "interval", "every": "0s"}, "trigger.every"),
        ({"type": "interval", "every": "11y"}, "trigger.every"),
        ({"type": "one_shot", "at": "tomorrow"}, "trigger.at"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_field(rule: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_trigger(rule)
    assert refused_field(refused) == field
