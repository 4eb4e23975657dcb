"""Calendars as values: what may be said, and what is named when it may not."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from tickwright.model.calendar import (
    MAX_EXCEPTIONS,
    MAX_HOLIDAYS,
    CalendarDefinition,
    CalendarException,
    ExceptionKind,
    HolidaySource,
    Weekday,
    definition_from_json,
    definition_to_json,
)
from tickwright.model.errors import InvalidInput

EVERYTHING: dict[str, Any] = {
    "name": "Bavaria",
    "description": "Working days of the Munich office",
    "timezone": "Europe/Berlin",
    "weekdays": ["mon", "tue", "wed", "thu", "sat"],
    "holidays": [
        {"country": "DE", "subdivision": "BY", "categories": ["public"], "language": "de"},
        {"country": "AT", "subdivision": None, "categories": [], "language": None},
    ],
    "exceptions": [
        {"kind": "closed", "from": "2026-12-24", "to": "2026-12-31", "name": "Works holiday"},
        {"kind": "open", "from": "2026-11-29", "to": "2026-11-29", "name": None},
        {"kind": "freeze", "from": "2026-12-20T18:00", "to": "2027-01-04T06:00:30", "name": "Ice"},
    ],
}


def test_everything_that_can_be_said_is_read_back() -> None:
    assert definition_to_json(definition_from_json(EVERYTHING)) == EVERYTHING


def test_what_is_not_said_has_its_default() -> None:
    assert definition_from_json({}) == CalendarDefinition()
    assert [day.value for day in CalendarDefinition().weekdays] == [
        *("mon", "tue", "wed", "thu", "fri")
    ]
    said = {"holidays": [{"country": "DE"}], "exceptions": [{"from": "2026-12-24"}]}
    read = definition_from_json(said)
    assert read.holidays == (HolidaySource("DE"),)
    day = date(2026, 12, 24)
    assert read.exceptions == (CalendarException(ExceptionKind.CLOSED, day, day),)


def test_only_what_is_named_changes() -> None:
    base = definition_from_json(EVERYTHING)
    after = definition_from_json({"exceptions": [], "name": None}, base)
    assert definition_to_json(after) == EVERYTHING | {"exceptions": [], "name": None}


def test_weekdays_are_kept_once_and_in_the_order_of_the_week() -> None:
    read = definition_from_json({"weekdays": ["sun", "mon", "sun"]})
    assert read.weekdays == (Weekday.MON, Weekday.SUN)


def test_a_time_is_one_on_the_calendars_own_clock() -> None:
    said = {"from": "2026-12-20T18:00", "to": "2026-12-20t18:00:01"}
    (exception,) = definition_from_json({"exceptions": [said]}).exceptions
    assert (exception.starts, exception.ends, exception.is_timed) == (
        datetime.fromisoformat("2026-12-20T18:00"),
        datetime.fromisoformat("2026-12-20T18:00:01"),
        True,
    )


def _exception(**said: Any) -> dict[str, Any]:
    return {"exceptions": [{"from": "2026-01-01"}, {"from": "2026-12-24", **said}]}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"timezone": None}, "timezone"),
        ({"timezone": "x" * 65}, "timezone"),
        ({"name": ""}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"description": "x" * 2001}, "description"),
        ({"weekdays": "mon"}, "weekdays"),
        ({"weekdays": ["monday"]}, "weekdays.0"),
        ({"weekdays": [["mon"]]}, "weekdays.0"),
        ({"weekdays": ["mon"] * 8}, "weekdays"),
        ({"holidays": {}}, "holidays"),
        ({"holidays": ["DE"]}, "holidays.0"),
        ({"holidays": [{}]}, "holidays.0.country"),
        ({"holidays": [{"country": 49}]}, "holidays.0.country"),
        ({"holidays": [{"country": "DE", "state": "BY"}]}, "holidays.0.state"),
        ({"holidays": [{"country": "DE", "categories": "bank"}]}, "holidays.0.categories"),
        ({"holidays": [{"country": "DE"}] * (MAX_HOLIDAYS + 1)}, "holidays"),
        ({"exceptions": [{}]}, "exceptions.0.from"),
        ({"exceptions": [{"from": "2026-01-01"}] * (MAX_EXCEPTIONS + 1)}, "exceptions"),
        (_exception(kind="shut"), "exceptions.1.kind"),
        (_exception(until="2026-12-31"), "exceptions.1.until"),
        (_exception(to=None), "exceptions.1.to"),
        (_exception(to="2026-12-23"), "exceptions.1.to"),
        (_exception(to="2026-12-24T10:00"), "exceptions.1.to"),
        (_exception(to="2026-02-30"), "exceptions.1.to"),
        (_exception(to="24.12.2026"), "exceptions.1.to"),
        (_exception(to="2200-01-01"), "exceptions.1.to"),
        (_exception(**{"from": "1899-12-31"}), "exceptions.1.from"),
        (_exception(**{"from": "2026-12-24T18:00"}), "exceptions.1.to"),
        (_exception(**{"from": "2026-12-24T18:00", "to": "2026-12-24T18:00"}), "exceptions.1.to"),
        (_exception(**{"from": "2026-12-24T24:00", "to": "2026-12-25"}), "exceptions.1.from"),
        (_exception(**{"from": "2026-12-24T18:00Z", "to": "2026-12-25"}), "exceptions.1.from"),
        (
            _exception(kind="open", **{"from": "2026-12-24T18:00", "to": "2026-12-24T19:00"}),
            "exceptions.1.from",
        ),
    ],
)
def test_what_is_wrong_is_named(said: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        definition_from_json(said)
    assert refused.value.field == field
    assert len(str(refused.value)) < 300


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidInput, match="body: must be a JSON object"):
        definition_from_json([])  # type: ignore[arg-type]
