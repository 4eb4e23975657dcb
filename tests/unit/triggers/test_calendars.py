"""When calendars are open: precedence, zones, holidays as the library has them, searching."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwright.model.calendar import (
    WEEK,
    CalendarDefinition,
    CalendarException,
    ExceptionKind,
    HolidaySource,
    definition_from_json,
    definition_to_json,
)
from tickwright.model.errors import InvalidInput
from tickwright.triggers.calendars import OpenTimes, check_definition
from tickwright.triggers.calendars.compiled import CompiledCalendars
from tickwright.triggers.calendars.public_holidays import holidays_in
from tickwright.triggers.calendars.spans import Spans

DAY = timedelta(days=1)
TODAY = date(2026, 11, 21)
BAVARIA = {"timezone": "Europe/Berlin", "holidays": [{"country": "DE", "subdivision": "BY"}]}


def times(*definitions: dict[str, Any]) -> OpenTimes:
    return OpenTimes.of(*(definition_from_json(each) for each in definitions))


def excepted(*exceptions: dict[str, Any], **more: Any) -> OpenTimes:
    return times({"timezone": "Europe/Berlin", "exceptions": list(exceptions), **more})


def closed(calendar: OpenTimes, day: str) -> str | None:
    return calendar.closed_on(date.fromisoformat(day))


def closed_at(calendar: OpenTimes, moment: str) -> str | None:
    return calendar.closed_at(datetime.fromisoformat(moment))


def test_a_day_is_closed_for_a_reason_people_know() -> None:
    bavaria = times(BAVARIA)
    assert closed(bavaria, "2026-11-20") is None
    assert closed(bavaria, "2026-11-21") == "Saturday"
    assert closed(bavaria, "2026-11-22") == "Sunday"
    assert closed(bavaria, "2026-12-25") == "Christmas Day"
    assert closed(bavaria, "2026-11-01") == "All Saints' Day"
    german = {"holidays": [{"country": "DE", "language": "de"}]}
    assert closed(times(german), "2026-12-25") == "Erster Weihnachtstag"


def test_without_a_calendar_it_is_always_open() -> None:
    assert times().closed_on(TODAY + DAY) is None
    assert times().closed_at(datetime(2026, 11, 22, tzinfo=UTC)) is None
    assert times().known_until is None


def test_freeze_wins_over_open_and_open_over_the_rest() -> None:
    christmas = {"from": "2026-12-25", "to": "2026-12-27"}
    calendar = excepted(
        {"kind": "closed", "name": "Party", **christmas},
        {"kind": "open", "from": "2026-12-26"},
        {"kind": "open", "from": "2026-12-27"},
        {"kind": "freeze", "from": "2026-12-27"},
        holidays=[{"country": "DE"}],
    )
    days = ["2026-12-25", "2026-12-26", "2026-12-27"]
    assert [closed(calendar, day) for day in days] == ["Party", None, "Freeze"]


def test_a_freeze_of_hours_closes_the_days_it_covers_and_parts_of_others() -> None:
    span = {"from": "2026-12-17T18:00", "to": "2026-12-22T06:00", "name": "Ice"}
    calendar = excepted({"kind": "freeze", **span}, {"kind": "open", "from": "2026-12-20"})
    days = [date(2026, 12, 17) + n * DAY for n in range(6)]
    assert [calendar.closed_on(day) for day in days] == [None, "Ice", "Ice", "Ice", "Ice", None]
    assert [calendar.partly_closed_on(each) for each in (days[0], days[5])] == ["Ice", "Ice"]
    assert calendar.partly_closed_on(days[0] - DAY) is None
    assert calendar.partly_closed_on(days[5] + DAY) is None
    assert closed_at(calendar, "2026-12-17T17:59:59+01:00") is None
    assert closed_at(calendar, "2026-12-17T18:00+01:00") == "Ice"
    assert closed_at(calendar, "2026-12-22T05:59:59+01:00") == "Ice"
    assert closed_at(calendar, "2026-12-22T06:00+01:00") is None


def test_closed_hours_yield_to_an_opened_day() -> None:
    evening = {"from": "2026-12-24T12:00", "to": "2026-12-25T00:00", "name": "Christmas Eve"}
    noon = datetime(2026, 12, 24, 13, tzinfo=UTC)
    assert excepted(evening).closed_at(noon) == "Christmas Eve"
    assert excepted(evening).closed_at(noon - timedelta(hours=4)) is None
    assert excepted(evening).partly_closed_on(noon.date()) == "Christmas Eve"
    opened = excepted(evening, {"kind": "open", "from": "2026-12-24"})
    assert opened.closed_at(noon) is None
    assert opened.partly_closed_on(noon.date()) is None


def test_spans_of_hours_that_meet_close_the_day_together() -> None:
    morning = {"from": "2026-12-01T00:00", "to": "2026-12-01T12:00", "name": "Morning"}
    evening = {"kind": "freeze", "from": "2026-12-01T12:00", "to": "2026-12-02T00:00"}
    late = {**evening, "from": "2026-12-01T12:01"}
    assert closed(excepted(morning, evening), "2026-12-01") == "Morning"
    assert closed(excepted(morning, late), "2026-12-01") is None
    assert closed(excepted(morning), "2026-12-01") is None


def test_the_local_date_decides() -> None:
    tokyo, berlin = times({"timezone": "Asia/Tokyo"}), times({"timezone": "Europe/Berlin"})
    friday_night = "2026-11-20T16:00:00+00:00"
    assert closed_at(tokyo, friday_night) == "Saturday"
    assert closed_at(berlin, friday_night) is None
    both = times({"timezone": "Asia/Tokyo"}, {"timezone": "Europe/Berlin"})
    assert closed_at(both, friday_night) == "Saturday"
    assert closed_at(both, "2026-11-22T16:00:00+00:00") == "Sunday"


def test_several_calendars_are_open_when_all_of_them_are() -> None:
    bavaria, gulf = times(BAVARIA), times({"weekdays": ["mon", "tue", "wed", "thu", "sun"]})
    both = times(BAVARIA, {"weekdays": ["mon", "tue", "wed", "thu", "sun"]})
    for n in range(400):
        day = TODAY + n * DAY
        alone = bavaria.closed_on(day) or gulf.closed_on(day)
        assert both.closed_on(day) == alone
    assert both.known_until == bavaria.known_until


def test_hours_are_bounded_by_what_the_clock_shows() -> None:
    gap = excepted({"kind": "freeze", "from": "2026-03-29T02:30", "to": "2026-03-29T04:00"})
    assert closed_at(gap, "2026-03-29T00:59:59+00:00") == "Sunday"
    monday = {"weekdays": [day.value for day in WEEK]}
    gap = excepted(
        {"kind": "freeze", "from": "2026-03-29T02:30", "to": "2026-03-29T04:00"}, **monday
    )
    assert closed_at(gap, "2026-03-29T00:59:59+00:00") is None
    assert closed_at(gap, "2026-03-29T01:00+00:00") == "Freeze"
    gap = excepted(
        {"kind": "freeze", "from": "2026-03-29T01:00", "to": "2026-03-29T02:30"}, **monday
    )
    assert closed_at(gap, "2026-03-29T00:59:59+00:00") == "Freeze"
    assert closed_at(gap, "2026-03-29T01:00+00:00") is None
    twice = {"kind": "freeze", "from": "2026-10-25T02:30", "to": "2026-10-25T02:45"}
    overlap = excepted(twice, **monday)
    assert closed_at(overlap, "2026-10-25T00:29:59+00:00") is None
    assert closed_at(overlap, "2026-10-25T00:30+00:00") == "Freeze"
    assert closed_at(overlap, "2026-10-25T01:44:59+00:00") == "Freeze"
    assert closed_at(overlap, "2026-10-25T01:45+00:00") is None


GAPS = {
    "America/Havana": date(2026, 3, 8),
    "Pacific/Apia": date(2011, 12, 30),
    "Africa/Cairo": date(2026, 4, 24),
}


@pytest.mark.parametrize("zone", GAPS)
def test_a_day_begins_when_its_zone_says_so(zone: str) -> None:
    """With a gap at midnight, or without the day at all (Apia, 30 December 2011)."""
    day = GAPS[zone]
    every = [day.value for day in WEEK]
    whole = {"from": f"{day}T00:00", "to": f"{day + DAY}T00:00"}
    calendar = times({"timezone": zone, "weekdays": every, "exceptions": [whole]})
    exists = zone != "Pacific/Apia"
    assert calendar.closed_on(day) == ("Closed" if exists else None)
    assert calendar.closed_on(day - DAY) is None
    assert calendar.closed_on(day + DAY) is None


def test_a_day_that_does_not_exist_is_closed_with_those_around_it() -> None:
    every = [day.value for day in WEEK]
    freeze = {"kind": "freeze", "from": "2011-12-28T12:00", "to": "2011-12-31T12:00"}
    calendar = times({"timezone": "Pacific/Apia", "weekdays": every, "exceptions": [freeze]})
    assert closed(calendar, "2011-12-30") == "Freeze"
    assert calendar.next_open(date(2011, 12, 28)) == date(2011, 12, 31)


PLACES = [
    HolidaySource("DE", "BY"),
    HolidaySource("US", "NY"),
    HolidaySource("GB", "ENG"),
    HolidaySource("IN", language="en_IN"),
    HolidaySource("JP"),
    HolidaySource("AT", categories=("public", "bank")),
]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_holidays_are_those_of_the_library(place: HolidaySource) -> None:
    definition = CalendarDefinition(weekdays=WEEK, holidays=(place,))
    calendar = OpenTimes.of(definition)
    known = holidays.country_holidays(
        place.country,
        subdiv=place.subdivision,
        years=range(2020, 2036),
        language=place.language or "en_US",
        categories=place.categories or None,
    )
    day = date(2020, 1, 1)
    while day < date(2035, 12, 31):
        assert calendar.closed_on(day) == dict.get(known, day), day
        day += DAY


def test_a_holiday_kept_in_the_year_before_counts_there() -> None:
    assert holidays_in(HolidaySource("US"), 2021)[date(2021, 12, 31)].startswith("New Year's Day")


def test_names_do_not_depend_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "de")
    assert holidays_in(HolidaySource("DE", "ST"), 2026)[date(2026, 12, 25)] == "Christmas Day"


def test_the_next_and_previous_open_days_are_found() -> None:
    bavaria = times(BAVARIA)
    christmas = date(2026, 12, 25)
    assert bavaria.next_open(christmas) == date(2026, 12, 28)
    assert bavaria.previous_open(christmas) == date(2026, 12, 24)
    assert bavaria.next_open(date(2026, 11, 18)) == date(2026, 11, 19)


def test_searching_ends_where_it_was_told_to_and_where_time_ends() -> None:
    frozen = excepted({"kind": "freeze", "from": "2026-01-01", "to": "2026-12-31"})
    assert frozen.next_open(date(2026, 11, 29)) is None
    assert frozen.next_open(date(2026, 11, 30), 31) is None
    assert frozen.next_open(date(2026, 12, 1), 31) == date(2027, 1, 1)
    assert times({"weekdays": []}).next_open(date.max) is None
    assert times({"weekdays": []}).previous_open(date.min) is None


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_ends_of_time_are_days_like_others(zone: str) -> None:
    hours = {"kind": "freeze", "from": "2026-12-17T18:00", "to": "2026-12-22T06:00"}
    calendar = times({"timezone": zone, "exceptions": [hours], "holidays": [{"country": "DE"}]})
    for moment in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        calendar.closed_at(moment)
        calendar.closed_on(moment.date())
        calendar.partly_closed_on(moment.date())


def test_the_end_of_what_is_known_is_told() -> None:
    assert times({}).known_until is None
    assert times({"holidays": [{"country": "LK"}]}).known_until == date(2026, 12, 31)
    assert times({"holidays": [{"country": "IN"}]}).known_until == date(2035, 12, 31)
    assert times(BAVARIA, {"holidays": [{"country": "LK"}]}).known_until == date(2026, 12, 31)
    listed = {
        "weekdays": [],
        "exceptions": [{"kind": "open", "from": "2026-12-01", "to": "2026-12-05"}],
    }
    assert times(listed).known_until == date(2026, 12, 5)
    assert times({"weekdays": []}).known_until == date.min


def refused(said: dict[str, Any]) -> InvalidInput:
    with pytest.raises(InvalidInput) as error:
        check_definition(definition_from_json(said), TODAY)
    return error.value


@pytest.mark.parametrize(
    ("source", "field", "says"),
    [
        ({"country": "UK"}, "country", "did you mean GB?"),
        ({"country": "Germany"}, "country", "did you mean DE?"),
        ({"country": "de"}, "country", "did you mean DE?"),
        ({"country": "DX"}, "country", "there are "),
        ({"country": "Nowhereland at all"}, "country", "no country"),
        ({"country": "DE", "subdivision": "by"}, "subdivision", "did you mean BY?"),
        ({"country": "DE", "subdivision": "Bayer"}, "subdivision", "did you mean BY?"),
        ({"country": "DE", "subdivision": "??"}, "subdivision", "there are Augsburg, BB"),
        ({"country": "JP", "subdivision": "13"}, "subdivision", "no part of JP"),
        ({"country": "DE", "categories": ["public", "bank"]}, "categories.1", "catholic, public"),
        ({"country": "DE", "language": "fr"}, "language", "must be one of de, en_US"),
        ({"country": "US", "language": "de"}, "language", "must be one of en_US"),
    ],
)
def test_holidays_nobody_knows_are_refused_with_near_ones(
    source: dict[str, Any], field: str, says: str
) -> None:
    error = refused({"holidays": [{"country": "AT"}, source]})
    assert error.field == f"holidays.1.{field}"
    assert says in error.reason


def test_a_subdivision_may_be_said_by_its_name() -> None:
    said = {"holidays": [{"country": "DE", "subdivision": "Bayern"}]}
    check_definition(definition_from_json(said), TODAY)
    assert closed(times(said), "2026-11-01") == "All Saints' Day"


def test_a_zone_nobody_knows_is_refused() -> None:
    assert refused({"timezone": "Mars/Base"}).field == "timezone"


def test_a_calendar_without_an_open_day_is_refused() -> None:
    assert refused({"weekdays": []}).field == "weekdays"
    year = {"kind": "freeze", "from": "2026-01-01", "to": "2027-12-25"}
    assert refused({"exceptions": [year]}).field == "weekdays"
    past = {"kind": "open", "from": "2026-11-20"}
    assert refused({"weekdays": [], "exceptions": [past]}).field == "weekdays"
    today = {"kind": "open", "from": "2026-11-21"}
    check_definition(definition_from_json({"weekdays": [], "exceptions": [today]}), TODAY)
    last = {"kind": "open", "from": str(TODAY + 399 * DAY)}
    check_definition(definition_from_json({"weekdays": [], "exceptions": [last]}), TODAY)
    late = {"kind": "open", "from": str(TODAY + 400 * DAY)}
    assert refused({"weekdays": [], "exceptions": [late]}).field == "weekdays"


def test_stored_texts_are_read() -> None:
    text = json.dumps(definition_to_json(definition_from_json(BAVARIA)))
    other = json.dumps({"weekdays": ["sun", "mon"]})
    assert closed(OpenTimes.from_texts((text, other)), "2026-11-24") == "Tuesday"
    assert OpenTimes.from_texts(()).closed_on(TODAY) is None
    gone = json.dumps({"holidays": [{"country": "DE", "subdivision": "GONE"}]})
    with pytest.raises(InvalidInput, match="GONE"):
        OpenTimes.from_texts((text, gone))


def test_as_many_are_kept_as_memory_allows() -> None:
    texts = [json.dumps({"description": "x" * n}) for n in (1000, 1500, 2000)]
    kept = CompiledCalendars(13_500)
    first, second = kept.of(texts[0]), kept.of(texts[1])
    assert kept.of(texts[0]) is first
    third = kept.of(texts[2])
    assert kept.of(texts[2]) is third
    assert kept.of(texts[0]) is first
    assert kept.of(texts[1]) is not second
    assert CompiledCalendars(10).of(texts[0]) is not first


def test_years_are_forgotten_so_that_memory_stays_flat() -> None:
    calendar = times(BAVARIA)
    for year in range(1995, 2095):
        assert calendar.closed_on(date(year, 12, 25)) == "Christmas Day"
    assert closed(calendar, "1995-12-25") == "Christmas Day"


points = st.integers(0, 40)
stretches = st.lists(st.tuples(points, points, st.sampled_from("abc")), max_size=12)


@given(stretches, points, points)
def test_spans_answer_as_a_look_at_each_would(
    found: list[tuple[int, int, str]], point: int, end: int
) -> None:
    spans = Spans(found)
    held = {n for start, stop, _ in found for n in range(start, stop)}
    names = {name for start, stop, name in found if start <= point < stop}
    at = spans.at(point)
    assert (at is not None) == (point in held)
    assert at is None or at in names
    assert bool(spans) == bool(held)
    assert spans.end == (max(held) + 1 if held else None)
    if point < end:
        asked = set(range(point, end))
        assert (spans.covering(point, end) is not None) == (asked <= held)
        assert (spans.touching(point, end) is not None) == bool(asked & held)


days = st.dates(date(2024, 1, 1), date(2030, 12, 31))


@st.composite
def exceptions(draw: st.DrawFn) -> CalendarException:
    kind = draw(st.sampled_from(ExceptionKind))
    first = draw(days)
    last = first + draw(st.integers(0, 20)) * DAY
    if kind is ExceptionKind.OPEN or draw(st.booleans()):
        return CalendarException(kind, first, last)
    start = datetime.combine(first, time(draw(st.integers(0, 23))))
    return CalendarException(kind, start, start + timedelta(hours=draw(st.integers(1, 500))))


zones = st.sampled_from(["UTC", "Europe/Berlin", "America/Havana", "Asia/Tokyo", "Pacific/Apia"])
sources = st.sampled_from([HolidaySource("DE", "BY"), HolidaySource("JP"), HolidaySource("LK")])
definitions = st.builds(
    CalendarDefinition,
    timezone=zones,
    weekdays=st.sets(st.sampled_from(WEEK)).map(lambda s: tuple(d for d in WEEK if d in s)),
    holidays=st.lists(sources, max_size=2).map(tuple),
    exceptions=st.lists(exceptions(), max_size=8).map(tuple),
)


@given(st.lists(definitions, min_size=1, max_size=3), days)
def test_searches_find_the_nearest_open_day(parts: list[CalendarDefinition], day: date) -> None:
    calendar = OpenTimes.of(*parts)
    around = [day + n * DAY for n in range(-31, 32)]
    is_open = [each for each in around if calendar.closed_on(each) is None]
    after = [each for each in is_open if each > day]
    before = [each for each in is_open if each < day]
    assert calendar.next_open(day) == (after[0] if after else None)
    assert calendar.previous_open(day) == (before[-1] if before else None)


@given(definitions, days, st.integers(0, 1439))
def test_what_is_open_at_a_moment_is_open_on_its_day(
    part: CalendarDefinition, day: date, minute: int
) -> None:
    calendar, zone = OpenTimes.of(part), ZoneInfo(part.timezone)
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)
    local = moment.astimezone(zone).date()
    at, on = calendar.closed_at(moment), calendar.closed_on(local)
    if on is not None:
        assert at is not None
    elif at is not None:
        assert calendar.partly_closed_on(local) is not None
    if calendar.partly_closed_on(local) is None and on is None:
        assert at is None


@given(st.lists(definitions, max_size=3))
def test_a_calendar_read_back_is_the_same(parts: list[CalendarDefinition]) -> None:
    texts = tuple(json.dumps(definition_to_json(part)) for part in parts)
    one, other = OpenTimes.of(*parts), OpenTimes.from_texts(texts)
    for first, second in pairwise(date(2026, 1, 1) + n * DAY for n in range(40)):
        assert one.closed_on(first) == other.closed_on(first)
        assert one.closed_on(second) == other.closed_on(second)
