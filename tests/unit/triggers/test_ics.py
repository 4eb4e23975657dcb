"""Exceptions from iCalendar files: dates, times, yearly rules, and files that are not right."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from tickwright.model.calendar import (
    MAX_EXCEPTIONS,
    CalendarException,
    ExceptionKind,
    exception_to_json,
)
from tickwright.model.errors import InvalidInput
from tickwright.triggers.calendars.ics import MAX_BYTES, exceptions_in
from tickwright.triggers.calendars.yearly import YearlyRule

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 11, 21)


def ics(*events: str) -> str:
    """A file with these events, each given as its lines."""
    bodies = (f"BEGIN:VEVENT\nUID:{n}\n{each}\nEND:VEVENT" for n, each in enumerate(events))
    lines = "\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y//EN", *bodies))
    return f"{lines}\nEND:VCALENDAR\n".replace("\n", "\r\n")


def read(
    text: str | bytes, kind: ExceptionKind = ExceptionKind.CLOSED, zone: ZoneInfo = BERLIN
) -> list[tuple[str, str, str | None]]:
    found = [exception_to_json(each) for each in exceptions_in(text, zone, kind, TODAY)]
    assert all(each["kind"] == kind for each in found)
    return [(each["from"], each["to"], each["name"]) for each in found]


def days(text: str) -> list[str]:
    return [start for start, _, _ in read(text)]


def test_whole_days_end_before_their_end() -> None:
    span = "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20270101\nSUMMARY:Works\\, holiday"
    assert read(ics(span)) == [("2026-12-24", "2026-12-31", "Works, holiday")]
    one = "DTSTART;VALUE=DATE:20261224"
    assert read(ics(one)) == [("2026-12-24", "2026-12-24", None)]
    assert read(ics(f"{one}\nDTEND;VALUE=DATE:20261224")) == read(ics(one))
    assert read(ics(f"{one}\nDURATION:P2D")) == [("2026-12-24", "2026-12-25", None)]
    assert read(ics(f"{one}\nDURATION:PT36H")) == [("2026-12-24", "2026-12-25", None)]


def test_times_are_those_of_the_calendars_clock() -> None:
    zoned = (
        "DTSTART;TZID=America/New_York:20261220T120000\nDTEND;TZID=Europe/Berlin:20270104T060000"
    )
    assert read(ics(zoned)) == [("2026-12-20T18:00", "2027-01-04T06:00", None)]
    utc = "DTSTART:20261220T170000Z\nDURATION:PT1H"
    assert read(ics(utc), ExceptionKind.FREEZE) == [("2026-12-20T18:00", "2026-12-20T19:00", None)]
    floating = "DTSTART:20261220T180000\nDTEND:20261220T190000"
    assert read(ics(floating)) == [("2026-12-20T18:00", "2026-12-20T19:00", None)]


def test_yearly_events_are_repeated_ten_years_ahead() -> None:
    found = days(ics("DTSTART;VALUE=DATE:19501224\nRRULE:FREQ=YEARLY"))
    assert found == [f"{year}-12-24" for year in range(2025, 2037)]
    found = days(ics("DTSTART;VALUE=DATE:19510601\nRRULE:FREQ=YEARLY;INTERVAL=5"))
    assert found == ["2026-06-01", "2031-06-01", "2036-06-01"]
    found = days(ics("DTSTART;VALUE=DATE:20300601\nRRULE:FREQ=YEARLY;INTERVAL=50"))
    assert found == ["2030-06-01"]
    found = days(ics("DTSTART;VALUE=DATE:20500601\nRRULE:FREQ=YEARLY"))
    assert found == ["2050-06-01"]


def test_a_count_counts_from_the_beginning_and_an_end_ends() -> None:
    assert days(ics("DTSTART;VALUE=DATE:20231224\nRRULE:FREQ=YEARLY;COUNT=4")) == [
        *("2025-12-24", "2026-12-24")
    ]
    until = "DTSTART;VALUE=DATE:20231224\nRRULE:FREQ=YEARLY;UNTIL=20271224"
    assert days(ics(until)) == ["2025-12-24", "2026-12-24", "2027-12-24"]
    assert days(ics(until.replace("20271224", "20271223"))) == ["2025-12-24", "2026-12-24"]
    timed = "DTSTART;TZID=Europe/Berlin:20261224T120000\nDURATION:PT1H\nRRULE:FREQ=YEARLY;UNTIL="
    assert days(ics(timed + "20271224T110000Z")) == ["2026-12-24T12:00", "2027-12-24T12:00"]
    assert days(ics(timed + "20271224T105959Z")) == ["2026-12-24T12:00"]
    floating = "DTSTART:20261224T120000\nDURATION:PT1H\nRRULE:FREQ=YEARLY;UNTIL=20271224T120000"
    assert days(ics(floating)) == ["2026-12-24T12:00", "2027-12-24T12:00"]


def test_days_are_left_out_added_and_moved() -> None:
    yearly = "DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=YEARLY;COUNT=4"
    more = "EXDATE;VALUE=DATE:20271224\nRDATE;VALUE=DATE:20300101\nRDATE;VALUE=DATE:20300102"
    assert days(ics(f"{yearly}\n{more}")) == [
        *("2026-12-24", "2028-12-24", "2029-12-24", "2030-01-01", "2030-01-02")
    ]
    moved = "UID:0\nRECURRENCE-ID;VALUE=DATE:20271224\nDTSTART;VALUE=DATE:20271223"
    text = ics(yearly, "X").replace("UID:1\r\nX", moved.replace("\n", "\r\n"))
    assert days(text) == ["2026-12-24", "2027-12-23", "2028-12-24", "2029-12-24"]
    gone = text.replace("RECURRENCE-ID", "STATUS:CANCELLED\r\nRECURRENCE-ID")
    assert days(gone) == ["2026-12-24", "2028-12-24", "2029-12-24"]
    timed = "DTSTART;TZID=Europe/Berlin:20261224T003000\nDURATION:PT1H\nRRULE:FREQ=YEARLY;COUNT=2"
    assert days(ics(f"{timed}\nEXDATE:20271223T233000Z")) == ["2026-12-24T00:30"]


def test_cancelled_and_long_past_events_are_left_out() -> None:
    cancelled = "DTSTART;VALUE=DATE:20261224\nSTATUS:CANCELLED"
    past = "DTSTART;VALUE=DATE:20251119"
    kept = "DTSTART;VALUE=DATE:20251120"
    assert days(ics(cancelled, past, kept)) == ["2025-11-20"]


def test_the_same_day_twice_is_one_exception() -> None:
    day = "DTSTART;VALUE=DATE:20261224\nSUMMARY:Eve"
    assert read(ics(day, day)) == [("2026-12-24", "2026-12-24", "Eve")]


def test_several_calendars_and_a_byte_order_mark_are_read() -> None:
    text = ics("DTSTART;VALUE=DATE:20261224\nSUMMARY:Müll") + ics("DTSTART;VALUE=DATE:20261225")
    assert read(text.encode("utf-8-sig"))[0] == ("2026-12-24", "2026-12-24", "Müll")
    assert len(read(text)) == 2


DAY = "DTSTART;VALUE=DATE:20261224\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no event"),
        ("hello", "is no iCalendar file"),
        (b"\xff\xfe", "is not UTF-8"),
        (ics(), "holds no event"),
        ("x" * (MAX_BYTES + 1), "at most 1,048,576 bytes"),
        (ics(*["X:1"] * (MAX_EXCEPTIONS + 1)), "more than 5,000 events"),
        (ics(DAY, "SUMMARY:Party"), "event 2 ('Party'): has no DTSTART"),
        (ics("DTSTART:PT1H"), "DTSTART is no date or time"),
        (ics("DTSTART:tomorrow"), "event 1 ('0'): DTSTART: "),
        (ics("DTSTART:20261224T100000"), "ends when it begins"),
        (ics("DTSTART:20261224T100000\nDTEND:20261224T090000"), "ends when it begins"),
        (ics(DAY + "DTEND:20261224T090000"), "both be dates or both be times"),
        (ics("DTSTART;TZID=Mars/Base:20261224T100000\nDURATION:PT1H"), "zone 'Mars/Base'"),
        (ics("DTSTART:20261224T100000\nDTEND:20261225T100000Z"), "event 1"),
        (ics(DAY + "RRULE:FREQ=WEEKLY"), "only FREQ=YEARLY"),
        (ics(DAY + "RRULE:FREQ=SECONDLY;COUNT=1000000000"), "only FREQ=YEARLY"),
        (ics(DAY + "RRULE:FREQ=YEARLY;BYSETPOS=1;BYDAY=MO"), "only FREQ=YEARLY"),
        (ics(DAY + "RRULE:FREQ=YEARLY;INTERVAL=0"), "INTERVAL or COUNT"),
        (ics(DAY + "RRULE:FREQ=YEARLY;COUNT=0"), "INTERVAL or COUNT"),
        (ics(DAY + "RRULE:FREQ=YEARLY;BYMONTH=13"), "event 1"),
        (ics(DAY + "RRULE:FREQ=YEARLY;BYMONTHDAY=0"), "BYMONTHDAY"),
        (ics(DAY + "RRULE:FREQ=YEARLY\nRRULE:FREQ=YEARLY"), "several rules"),
        (ics("DTSTART;VALUE=DATE:18001224\nRRULE:FREQ=YEARLY;COUNT=300"), "counted from before"),
        (ics(DAY + "RDATE;VALUE=PERIOD:20261224T100000Z/PT1H"), "RDATE"),
        (ics("DTSTART;VALUE=DATE:22001224"), "the years 1900 to 2199"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(text: str | bytes, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(text)
    assert refused.value.field == "ics"
    assert says in refused.value.reason
    assert len(refused.value.reason) < 300


def test_only_whole_days_can_be_opened() -> None:
    with pytest.raises(InvalidInput, match="only whole days"):
        read(ics("DTSTART:20261224T100000\nDURATION:PT1H"), ExceptionKind.OPEN)


def test_too_many_repetitions_are_refused() -> None:
    every_day = DAY + "RRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU"
    text = ics(*[f"{every_day}\nSUMMARY:{n}" for n in range(2)])
    with pytest.raises(InvalidInput, match="more than 5,000 exceptions"):
        read(text)


def test_rules_that_never_happen_are_not_followed_for_long() -> None:
    many = ",".join(str(n) for n in range(1, 32))
    never = f"DTSTART;VALUE=DATE:19000101\nRRULE:FREQ=YEARLY;COUNT=2;BYMONTHDAY={many};BYDAY=7MO"
    with pytest.raises(InvalidInput, match="take too long"):
        read(ics(*[never] * 200))
    february = "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"
    assert days(ics(february)) == ["2026-01-01"]


weekdays = st.lists(
    st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, max_size=3
)
months = st.lists(st.integers(1, 12), min_size=1, max_size=3)
month_days = st.lists(st.integers(-28, 28).filter(lambda n: n != 0), min_size=1, max_size=3)


def placed(most: int) -> st.SearchStrategy[list[str]]:
    """The other implementation takes weekdays with and without a place for two limits."""
    places = st.integers(-most, most).filter(lambda n: n != 0)
    return st.builds(lambda n, days: [f"{n}{day}" for day in days], places, weekdays)


kinds: list[dict[str, st.SearchStrategy[Any]]] = [
    {},
    {"BYMONTH": months},
    {"BYMONTHDAY": month_days},
    {"BYMONTH": months, "BYMONTHDAY": month_days},
    {"BYMONTHDAY": month_days, "BYDAY": weekdays},
    {"BYDAY": weekdays},
    {"BYDAY": placed(53)},
    {"BYMONTH": months, "BYDAY": weekdays},
    {"BYMONTH": months, "BYDAY": placed(5)},
]
frequency = {"FREQ": st.just(["YEARLY"]), "INTERVAL": st.integers(1, 3).map(lambda n: [n])}
rules = st.one_of(*(st.fixed_dictionaries({**frequency, **kind}) for kind in kinds))


@given(rules, st.dates(date(2000, 1, 1), date(2010, 12, 31)))
def test_yearly_rules_are_those_of_another_implementation(
    parts: dict[str, list[int | str]], first: date
) -> None:
    text = ";".join(f"{name}={','.join(map(str, each))}" for name, each in parts.items())
    start = datetime.combine(first, datetime.min.time())
    end = start + timedelta(days=366 * 8)
    theirs = rrule.rrulestr(f"{text};UNTIL={end:%Y%m%d}", dtstart=start)
    rule = YearlyRule.read(parts, None)
    years = range(first.year, end.year + 1, rule.interval)
    ours = [day for year in years for day in rule.days_in(year, first)]
    assert [day for day in ours if first <= day <= end.date()] == [each.date() for each in theirs]


def test_a_fifth_weekday_is_not_in_every_month_and_nonsense_is_none() -> None:
    rule = YearlyRule.read({"FREQ": ["YEARLY"], "BYMONTH": [1, 2], "BYDAY": ["5MO", "-1SU"]}, None)
    found = rule.days_in(2026, date(2020, 1, 1))
    assert found == [date(2026, 1, 25), date(2026, 2, 22)]
    with pytest.raises(ValueError, match="BYDAY"):
        YearlyRule.read({"FREQ": ["YEARLY"], "BYDAY": ["1XX"]}, None)


def test_an_exception_of_a_file_is_like_any_other() -> None:
    (found,) = exceptions_in(ics(DAY), BERLIN, ExceptionKind.FREEZE, TODAY)
    assert found == CalendarException(ExceptionKind.FREEZE, date(2026, 12, 24), date(2026, 12, 24))
