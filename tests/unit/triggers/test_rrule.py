"""Recurrence rules: the examples of RFC 5545, clock changes, texts, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.triggers import trigger_from_json
from tickwright.triggers.base import TriggerError
from tickwright.triggers.rrule import Rrule, rrule

from .test_cron_clock_changes import utc
from .test_cron_effort import calls_during

# A call costs a quarter of a microsecond or so: this stands for some tens of milliseconds.
MOST_CALLS = 120_000

NEW_YORK = "America/New_York"
BERLIN = "Europe/Berlin"


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def shown(trigger: Rrule, count: int, zone: str, since: str = "0001-02-01") -> list[str]:
    """The first occurrences on the clock of a zone; `…` when there are more."""
    from zoneinfo import ZoneInfo

    moment = utc(since)
    found: list[str] = []
    for _ in range(count):
        answer = trigger.next_after(moment)
        if answer is None:
            return found
        found.append(f"{answer.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}")
        moment = answer
    return [*found, "…"] if trigger.next_after(moment) else found


def days(*texts: str, at: str = "09:00") -> list[str]:
    return [text if text == "…" or ":" in text else f"{text} {at}" for text in texts]


# DTSTART is 1997-09-02 09:00 in New York unless it is given; as many dates as the RFC lists.
RFC_EXAMPLES: list[tuple[str, str, list[str]]] = [
    ("FREQ=DAILY;COUNT=3", "", days("1997-09-02", "1997-09-03", "1997-09-04")),
    ("FREQ=DAILY;UNTIL=19970905T000000Z", "", days("1997-09-02", "1997-09-03", "1997-09-04")),
    ("FREQ=DAILY;INTERVAL=2", "", days("1997-09-02", "1997-09-04", "1997-09-06", "…")),
    (
        "FREQ=DAILY;INTERVAL=10;COUNT=5",
        "",
        days("1997-09-02", "1997-09-12", "1997-09-22", "1997-10-02", "1997-10-12"),
    ),
    (
        "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        "1998-01-01T09:00",
        days("1998-01-01", "1998-01-02", "…"),
    ),
    (
        "FREQ=DAILY;UNTIL=19980103T140000Z;BYMONTH=1",
        "1998-01-01T09:00",
        days("1998-01-01", "1998-01-02", "1998-01-03"),
    ),
    ("FREQ=WEEKLY;COUNT=3", "", days("1997-09-02", "1997-09-09", "1997-09-16")),
    ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "", days("1997-09-02", "1997-09-16", "1997-09-30", "…")),
    (
        "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
        "",
        days(*(f"1997-09-{d:02}" for d in (2, 4, 9, 11, 16, 18, 23, 25, 30)), "1997-10-02"),
    ),
    (
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "1997-09-01T09:00",
        days(*(f"1997-09-{d:02}" for d in (1, 3, 5, 15, 17, 19, 29)), "1997-10-01", "…"),
    ),
    (
        "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
        "",
        days(
            *(f"1997-09-{d:02}" for d in (2, 4, 16, 18, 30)),
            "1997-10-02",
            "1997-10-14",
            "1997-10-16",
        ),
    ),
    (
        "FREQ=MONTHLY;COUNT=3;BYDAY=1FR",
        "1997-09-05T09:00",
        days("1997-09-05", "1997-10-03", "1997-11-07"),
    ),
    (
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "1997-09-07T09:00",
        days("1997-09-07", "1997-09-28", "1997-11-02", "1997-11-30", "1998-01-04")
        + days("1998-01-25", "1998-03-01", "1998-03-29", "1998-05-03", "1998-05-31"),
    ),
    (
        "FREQ=MONTHLY;COUNT=3;BYDAY=-2MO",
        "1997-09-22T09:00",
        days("1997-09-22", "1997-10-20", "1997-11-17"),
    ),
    (
        "FREQ=MONTHLY;BYMONTHDAY=-3",
        "1997-09-28T09:00",
        days("1997-09-28", "1997-10-29", "1997-11-28", "…"),
    ),
    (
        "FREQ=MONTHLY;COUNT=4;BYMONTHDAY=2,15",
        "",
        days("1997-09-02", "1997-09-15", "1997-10-02", "1997-10-15"),
    ),
    (
        "FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1,-1",
        "1997-09-30T09:00",
        days("1997-09-30", "1997-10-01", "1997-10-31", "1997-11-01"),
    ),
    (
        "FREQ=MONTHLY;INTERVAL=18;COUNT=7;BYMONTHDAY=10,11,12,13,14,15",
        "1997-09-10T09:00",
        days(*(f"1997-09-{d}" for d in range(10, 16)), "1999-03-10"),
    ),
    (
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
        "",
        days(*(f"1997-09-{d:02}" for d in (2, 9, 16, 23, 30)), "1997-11-04", "…"),
    ),
    (
        "FREQ=YEARLY;COUNT=4;BYMONTH=6,7",
        "1997-06-10T09:00",
        days("1997-06-10", "1997-07-10", "1998-06-10", "1998-07-10"),
    ),
    (
        "FREQ=YEARLY;INTERVAL=2;COUNT=4;BYMONTH=1,2,3",
        "1997-03-10T09:00",
        days("1997-03-10", "1999-01-10", "1999-02-10", "1999-03-10"),
    ),
    (
        "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        "1997-01-01T09:00",
        days("1997-01-01", "1997-04-10", "1997-07-19", "2000-01-01", "2000-04-09", "2000-07-18")
        + days("2003-01-01", "2003-04-10", "2003-07-19", "2006-01-01"),
    ),
    (
        "FREQ=YEARLY;BYDAY=20MO",
        "1997-05-19T09:00",
        days("1997-05-19", "1998-05-18", "1999-05-17", "…"),
    ),
    (
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "1997-05-12T09:00",
        days("1997-05-12", "1998-05-11", "1999-05-17", "…"),
    ),
    (
        "FREQ=YEARLY;BYWEEKNO=20",
        "1997-05-12T09:00",
        days("1997-05-12", "1998-05-11", "1999-05-17", "…"),
    ),
    (
        "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
        "1997-03-13T09:00",
        days("1997-03-13", "1997-03-20", "1997-03-27", "1998-03-05", "…"),
    ),
    (
        "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
        "1997-06-05T09:00",
        days("1997-06-05", "1997-06-12", "…"),
    ),
    (
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "",
        days("1998-02-13", "1998-03-13", "1998-11-13", "1999-08-13", "2000-10-13", "…"),
    ),
    (
        "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        "1997-09-13T09:00",
        days("1997-09-13", "1997-10-11", "1997-11-08", "…"),
    ),
    (
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "1996-11-05T09:00",
        days("1996-11-05", "2000-11-07", "2004-11-02", "…"),
    ),
    (
        "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
        "1997-09-04T09:00",
        days("1997-09-04", "1997-10-07", "1997-11-06"),
    ),
    (
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "1997-09-29T09:00",
        days("1997-09-29", "1997-10-30", "1997-11-27", "1997-12-30", "…"),
    ),
    (
        "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",
        "",
        days("1997-09-02 09:00", "1997-09-02 12:00", "1997-09-02 15:00"),
    ),
    ("FREQ=MINUTELY;INTERVAL=15;COUNT=3", "", [f"1997-09-02 09:{m}" for m in ("00", "15", "30")]),
    (
        "FREQ=MINUTELY;INTERVAL=90;COUNT=3",
        "",
        [f"1997-09-02 {t}" for t in ("09:00", "10:30", "12:00")],
    ),
    (
        "FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,20,40",
        "",
        [f"1997-09-02 {h}:{m}" for h in ("09", "10") for m in ("00", "20", "40")] + ["…"],
    ),
    (
        "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10",
        "",
        [f"1997-09-02 {h}:{m}" for h in ("09", "10") for m in ("00", "20", "40")]
        + ["1997-09-03 09:00", "…"],
    ),
    (
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
        "1997-08-05T09:00",
        days("1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"),
    ),
    (
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
        "1997-08-05T09:00",
        days("1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"),
    ),
    (
        "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
        "2007-01-15T09:00",
        days("2007-01-15", "2007-01-30", "2007-02-15", "2007-03-15", "2007-03-30"),
    ),
]


@pytest.mark.parametrize(("rule", "start", "expected"), RFC_EXAMPLES)
def test_the_examples_of_the_rfc(rule: str, start: str, expected: list[str]) -> None:
    trigger = rrule(rule, start=local(start or "1997-09-02T09:00"), tz=NEW_YORK)
    assert shown(trigger, len([e for e in expected if e != "…"]), NEW_YORK) == expected


@pytest.mark.parametrize(
    ("rule", "options", "since", "expected"),
    [
        ("FREQ=DAILY", {}, "2026-03-28T12:00", ["2026-03-29T01:30", "2026-03-30T00:30"]),
        ("FREQ=DAILY", {"dst_gap": "after"}, "2026-03-28T12:00", ["2026-03-29T01:00"]),
        ("FREQ=DAILY", {"dst_gap": "skip"}, "2026-03-28T12:00", ["2026-03-30T00:30"]),
        ("FREQ=DAILY", {}, "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ("FREQ=DAILY", {"dst_overlap": "last"}, "2026-10-24T12:00", ["2026-10-25T01:30"]),
        (
            "FREQ=DAILY",
            {"dst_overlap": "both"},
            "2026-10-24T12:00",
            ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-26T01:30"],
        ),
        (
            "FREQ=HOURLY",
            {},
            "2026-03-29T00:00",
            ["2026-03-29T00:30", "2026-03-29T01:30", "2026-03-29T02:30"],
        ),
        (
            "FREQ=HOURLY;BYHOUR=2",
            {},
            "2026-10-24T12:00",
            ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-26T01:30"],
        ),
        # The second pass is not jumped over on the way to another month.
        (
            "FREQ=HOURLY;BYHOUR=2;BYMONTHDAY=25",
            {},
            "2026-10-25T00:40",
            ["2026-10-25T01:30", "2026-11-25T01:30"],
        ),
        (
            "FREQ=MINUTELY;BYHOUR=2;BYMINUTE=30;BYMONTHDAY=25",
            {},
            "2026-10-25T00:30",
            ["2026-10-25T01:30", "2026-11-25T01:30"],
        ),
        (
            "FREQ=MINUTELY;BYHOUR=2;BYMINUTE=30",
            {},
            "2026-10-24T12:00",
            ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-26T01:30"],
        ),
        (
            "FREQ=MINUTELY;BYHOUR=3;BYMINUTE=0,30",
            {},
            "2026-03-29T00:59",
            ["2026-03-29T01:00", "2026-03-29T01:30", "2026-03-30T01:00"],
        ),
        ("FREQ=HOURLY;BYHOUR=2", {}, "2026-03-28T12:00", ["2026-03-30T00:30"]),
        ("FREQ=DAILY;UNTIL=20261025T023000", {}, "2026-10-24T12:00", ["2026-10-25T00:30"]),
    ],
)
def test_clock_changes(rule: str, options: dict[str, Any], since: str, expected: list[str]) -> None:
    trigger = rrule(rule, start=local("2026-01-01T02:30"), tz=BERLIN, **options)
    moment, found = utc(since), []
    for _ in expected:
        answer = trigger.next_after(moment)
        assert answer is not None
        found.append(f"{answer:%Y-%m-%dT%H:%M}")
        moment = answer
    assert found == expected
    assert [trigger.previous_before(utc(b)) for b in expected[1:]] == [
        utc(a) for a in expected[:-1]
    ]


def test_dates_are_added_and_removed() -> None:
    trigger = rrule(
        "FREQ=DAILY;COUNT=4",
        start=local("2026-01-01T09:00"),
        tz=BERLIN,
        rdates=[local("2026-02-01T10:00"), utc("2026-01-02T12:00")],
        exdates=[local("2026-01-02T09:00"), utc("2026-01-03T08:00")],
    )
    expected = ["2026-01-01 09:00", "2026-01-02 13:00", "2026-01-04 09:00", "2026-02-01 10:00"]
    assert shown(trigger, 9, BERLIN) == expected
    back, moment = [], utc("2027-01-01")
    while (answer := trigger.previous_before(moment)) is not None:
        back.append(answer)
        moment = answer
    assert len(back) == 4
    assert trigger_from_json(trigger.to_json()) == trigger


TEXT = """DTSTART;TZID=America/New_York:19970902T090000
RRULE:FREQ=DAILY;
 COUNT=4
EXDATE;TZID=America/New_York:19970903T090000
RDATE;TZID=Europe/Berlin:19970910T150000,19970911T150000
"""


def test_a_text_is_read_into_its_fields() -> None:
    trigger = rrule(TEXT)
    assert trigger.to_json() == {
        "type": "rrule",
        "rule": "FREQ=DAILY;COUNT=4",
        "start": "1997-09-02T09:00:00",
        "timezone": NEW_YORK,
        "rdates": ["1997-09-10T13:00:00Z", "1997-09-11T13:00:00Z"],
        "exdates": ["1997-09-03T09:00:00"],
    }
    assert trigger_from_json({"type": "rrule", "rule": TEXT.replace("\n", "\r\n")}) == trigger
    assert shown(trigger, 9, NEW_YORK)[:3] == days("1997-09-02", "1997-09-04", "1997-09-05")


@pytest.mark.parametrize(
    ("data", "zone", "start"),
    [
        ({"start": "2026-01-01T09:00:00"}, "Asia/Tokyo", "2026-01-01T09:00:00"),
        ({"start": "2026-01-01T09:00:00Z"}, "UTC", "2026-01-01T09:00:00"),
        ({"start": "2026-01-01T09:00:00Z", "timezone": BERLIN}, BERLIN, "2026-01-01T10:00:00"),
        ({"start": "2026-01-01T09:00:00+05:00", "timezone": BERLIN}, BERLIN, "2026-01-01T05:00:00"),
        (
            {"rule": "DTSTART:20260101T090000\nRRULE:FREQ=DAILY"},
            "Asia/Tokyo",
            "2026-01-01T09:00:00",
        ),
        ({"rule": "DTSTART:20260101T090000Z\nFREQ=DAILY"}, "UTC", "2026-01-01T09:00:00"),
        (
            {"rule": f"DTSTART;TZID={BERLIN}:20260101T090000\nRRULE:FREQ=DAILY"},
            BERLIN,
            "2026-01-01T09:00:00",
        ),
        (
            {"rule": "RRULE:freq=daily;", "start": "2026-01-01T09:00:00"},
            "Asia/Tokyo",
            "2026-01-01T09:00:00",
        ),
    ],
)
def test_which_clock_a_rule_follows(data: dict[str, Any], zone: str, start: str) -> None:
    trigger = trigger_from_json({"type": "rrule", "rule": "FREQ=DAILY", **data}, "Asia/Tokyo")
    assert trigger.to_json() == {
        "type": "rrule",
        "rule": "FREQ=DAILY",
        "start": start,
        "timezone": zone,
    }


BAD_RULES = [
    "",
    "FREQ=",
    "FREQ=FORTNIGHTLY",
    "INTERVAL=2",
    "FREQ=DAILY;FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;INTERVAL=-1",
    "FREQ=DAILY;INTERVAL=99999999999999999999",
    "FREQ=DAILY;COUNT=0",
    "FREQ=DAILY;COUNT=2;UNTIL=20270101T000000Z",
    "FREQ=DAILY;UNTIL=20270101",
    "FREQ=DAILY;UNTIL=20270230T000000",
    "FREQ=DAILY;UNTIL=20250101T000000Z",
    "FREQ=DAILY;UNTIL=20111230T120000Z;COUNT=1",
    "FREQ=DAILY;BYHOUR=24",
    "FREQ=DAILY;BYHOUR=",
    "FREQ=DAILY;BYSECOND=60",
    "FREQ=DAILY;BYMONTH=13",
    "FREQ=DAILY;BYMONTHDAY=0",
    "FREQ=DAILY;BYMONTHDAY=32",
    "FREQ=DAILY;BYDAY=2MO",
    "FREQ=MONTHLY;BYDAY=0MO",
    "FREQ=MONTHLY;BYDAY=54MO",
    "FREQ=MONTHLY;BYDAY=XX",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO",
    "FREQ=WEEKLY;BYMONTHDAY=1",
    "FREQ=MONTHLY;BYYEARDAY=1",
    "FREQ=MONTHLY;BYWEEKNO=1",
    "FREQ=MONTHLY;BYSETPOS=1",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
    "FREQ=HOURLY;BYMINUTE=1,2;BYSETPOS=1",
    "FREQ=MONTHLY;WKST=XX",
    "FREQ=MONTHLY;RSCALE=GREGORIAN;SKIP=BACKWARD",
    "FREQ=DAILY;X-FOO=1",
    "FREQ=DAILY BYHOUR=9",
    "FREQ=DAILY;BYHOUR=\u0669",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
    "FREQ=SECONDLY;INTERVAL=86399;BYHOUR=3;BYMINUTE=0;BYSECOND=0",
    "FREQ=SECONDLY;BYHOUR=9;COUNT=1001",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1;COUNT=1001",
    "RRULE:FREQ=DAILY\nRRULE:FREQ=DAILY",
    "RDATE:20260101T090000",
    "RDATE:20260101T090000\nEXDATE:20260101T090000",
    "RRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY",
    "RRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20260101",
    "RRULE:FREQ=DAILY\nRDATE;VALUE=PERIOD:20260101T090000/PT1H",
    "FREQ=DAILY;BYHOUR=" + "9," * 5_000,
    "RRULE:" + "x" * 100_000,
    "\x00",
    "\ud800",
]


@pytest.mark.parametrize("rule", BAD_RULES)
def test_a_bad_rule_is_refused_with_few_steps(rule: str) -> None:
    start = local("2026-01-01T09:00")
    assert calls_during(lambda: rrule(rule, start=start)) < MOST_CALLS
    with pytest.raises(InvalidInput) as refusal:
        rrule(rule, start=start)
    assert refusal.value.field == "trigger.rule"
    assert len(refusal.value.reason) < 250


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start": None}, "trigger.start"),
        ({"start": "tomorrow"}, "trigger.start"),
        ({"start": "2026-01-01T09:00:00.5"}, "trigger.start"),
        ({"start": "2026-01-01T09:00:00+01:00"}, "trigger.timezone"),
        ({"start": "2026-10-25T01:30:00Z", "timezone": BERLIN}, "trigger.start"),
        (
            {"start": "2011-12-30T09:00:00", "timezone": "Pacific/Apia", "rule": "FREQ=HOURLY"},
            "trigger.start",
        ),
        ({"start": "9999-12-31T23:59:59Z", "timezone": "Pacific/Apia"}, "trigger.start"),
        ({"timezone": "Nowhere/Here"}, "trigger.timezone"),
        ({"timezone": 5}, "trigger.timezone"),
        ({"rdates": "2026-01-01T09:00:00"}, "trigger.rdates"),
        ({"rdates": [5]}, "trigger.rdates"),
        ({"exdates": ["soon"]}, "trigger.exdates"),
        ({"exdates": ["2026-01-01T09:00:00Z"] * 501}, "trigger.exdates"),
        ({"dstGap": "x"}, "trigger.dstGap"),
        ({"rule": "FREQ=HOURLY", "dstGap": "skip"}, "trigger.dstGap"),
        ({"rule": "FREQ=HOURLY", "dstOverlap": "both"}, "trigger.dstOverlap"),
        ({"rule": 5}, "trigger.rule"),
        ({"rule": "DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY"}, "trigger.start"),
        (
            {"rule": f"DTSTART;TZID={BERLIN}:20260101T090000\nRRULE:FREQ=DAILY", "timezone": "UTC"},
            "trigger.start",
        ),
        (
            {"rule": "DTSTART;TZID=Mars/Olympus:20260101T090000\nRRULE:FREQ=DAILY"},
            "trigger.timezone",
        ),
        ({"until": "2026"}, "trigger.until"),
    ],
)
def test_a_bad_field_is_refused(changes: dict[str, Any], field: str) -> None:
    data = {"type": "rrule", "rule": "FREQ=DAILY", "start": "2026-01-01T09:00:00", **changes}
    with pytest.raises(InvalidInput) as refusal:
        trigger_from_json(data)
    assert refusal.value.field == field


def test_a_zone_that_differs_from_the_text_is_refused() -> None:
    with pytest.raises(InvalidInput, match="differs"):
        rrule(f"DTSTART;TZID={BERLIN}:20260101T090000\nRRULE:FREQ=DAILY", tz="UTC")
    with pytest.raises(InvalidInput, match="counts from its start"):
        rrule("FREQ=DAILY")


def test_week_one_may_begin_in_the_year_before() -> None:
    trigger = rrule("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", start=local("1997-01-01T09:00"))
    assert shown(trigger, 3, "UTC") == days("1997-12-29", "1999-01-04", "2000-01-03", "…")


@pytest.mark.parametrize(
    ("rule", "start", "last"),
    [
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1", "9999-01-31T09:00", "9999-12-06T09:00"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1;COUNT=500", "9990-01-31T09:00", "9999-12-06T09:00"),
        (
            "FREQ=YEARLY;INTERVAL=5000;BYDAY=MO;BYSETPOS=1;COUNT=5",
            "2026-01-01T09:00",
            "7026-01-02T09:00",
        ),
        ("FREQ=DAILY;COUNT=9000", "9990-01-31T09:00", "9999-12-28T09:00"),
        ("FREQ=HOURLY;BYHOUR=3;COUNT=900", "9999-01-31T09:00", "9999-12-28T03:00"),
        ("FREQ=HOURLY;COUNT=900000", "9999-01-31T09:00", "9999-12-28T23:00"),
        ("FREQ=HOURLY;INTERVAL=9999999", "9000-01-31T09:00", "9000-01-31T09:00"),
        ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=29", "9996-02-28T09:00", "9996-02-29T23:00"),
        ("FREQ=MINUTELY;BYMONTH=12;BYMONTHDAY=31", "9998-12-31T09:00", "9998-12-31T23:59"),
        ("FREQ=DAILY;BYMONTH=12;BYMONTHDAY=31", "9998-01-31T09:00", "9998-12-31T09:00"),
        ("FREQ=MONTHLY", "9999-10-31T09:00", "9999-10-31T09:00"),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def test_rules_end_with_the_calendar(rule: str, start: str, last: str, zone: str) -> None:
    trigger = rrule(rule, start=local(start), tz=zone)
    end = datetime.max.replace(tzinfo=UTC)
    answer = trigger.previous_before(end)
    assert answer is not None
    assert abs(answer - utc(last)) < timedelta(days=2)
    assert trigger.next_after(answer) is None
    assert trigger.next_after(end) is None


@pytest.mark.parametrize(
    ("rule", "start"),
    [
        ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=29", "2026-06-01T09:00"),
        ("FREQ=HOURLY;BYHOUR=1", "0001-01-04T12:00"),
        ("FREQ=DAILY", "0001-01-04T12:00"),
        ("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=1", "0001-01-04T12:00"),
        ("FREQ=MINUTELY;BYMONTH=12", "0001-02-01T12:00"),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def test_before_the_first_there_was_nothing(rule: str, start: str, zone: str) -> None:
    trigger = rrule(rule, start=local(start), tz=zone)
    first = trigger.next_after(datetime.min.replace(tzinfo=UTC))
    assert first is not None
    assert trigger.previous_before(first) is None
    assert trigger.previous_before(first - timedelta(microseconds=1)) is None


def test_many_removed_dates_do_not_lengthen_a_search() -> None:
    start = local("2026-01-01T00:00")
    rule = "FREQ=SECONDLY;INTERVAL=4003;BYHOUR=3;BYMINUTE=0"
    plain = rrule(rule, start=start)
    moment, hits = utc("2026-01-01"), []
    for _ in range(200):
        answer = plain.next_after(moment)
        assert answer is not None
        hits.append(answer)
        moment = answer
    trigger = rrule(rule, start=start, exdates=[], rdates=[])
    assert trigger == plain
    try:
        full = rrule(rule, start=start, exdates=hits)
    except InvalidInput as refusal:
        assert "bounded" in refusal.reason  # noqa: PT017
    else:
        assert calls_during(lambda: full.next_after(utc("2026-01-01"))) < MOST_CALLS


def test_an_answer_that_is_not_later_is_an_error_instead_of_a_loop() -> None:
    class Stuck:
        def next_after(self, moment: datetime) -> datetime:
            return moment

        previous_before = next_after

    trigger = rrule("FREQ=DAILY", start=local("2026-01-01T09:00"))
    object.__setattr__(trigger, "_found", Stuck())
    with pytest.raises(TriggerError, match="not after"):
        trigger.next_after(utc("2026-01-01"))
    with pytest.raises(TriggerError, match="not before"):
        trigger.previous_before(utc("2026-01-01"))


def test_fields_of_the_wrong_kind_are_refused() -> None:
    start = local("2026-01-01T09:00")
    with pytest.raises(InvalidInput, match="must be a datetime"):
        rrule("FREQ=DAILY", start="tomorrow")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="must be a list"):
        Rrule("FREQ=DAILY", start, rdates="2026")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="UNTIL does not exist"):
        rrule(
            "FREQ=DAILY;UNTIL=20111230T090000", start=local("2011-01-01T09:00"), tz="Pacific/Apia"
        )


def test_options_and_explicit_kinds_of_times_come_back() -> None:
    text = "DTSTART;VALUE=DATE-TIME:20260101T090000Z\nRRULE:FREQ=DAILY"
    trigger = rrule(text, dst_gap="skip", dst_overlap="both")
    assert trigger_from_json(trigger.to_json()) == trigger
    assert trigger.to_json()["dstOverlap"] == "both"


RARE = [
    ("FREQ=YEARLY;INTERVAL=7973", "9999-01-01T09:00"),
    ("FREQ=DAILY;INTERVAL=999999", "4763-11-28T09:00"),
    ("FREQ=MINUTELY;INTERVAL=15", "2026-01-01T09:15"),
    ("FREQ=SECONDLY;COUNT=1000000", "2026-01-01T09:00"),
    ("FREQ=DAILY;COUNT=10000000", "2026-01-02T09:00"),
    ("FREQ=SECONDLY;INTERVAL=7;BYHOUR=3;BYMINUTE=0;BYSECOND=0", None),
    ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", "2044-02-29T09:00"),
]


@pytest.mark.parametrize(("rule", "second"), RARE)
def test_rare_and_long_rules_take_few_steps(rule: str, second: str | None) -> None:
    start = local("2026-01-01T09:00")
    assert calls_during(lambda: rrule(rule, start=start)) < MOST_CALLS
    trigger = rrule(rule, start=start)
    assert trigger.next_after(utc("2026-01-01")) is not None
    first = utc("2026-01-01T09:00")
    answer = trigger.next_after(first)
    assert answer is not None
    if second is not None:
        assert answer.replace(second=0) == utc(second)
    assert calls_during(lambda: trigger.next_after(first)) < MOST_CALLS
    end = datetime.max.replace(tzinfo=UTC)
    assert trigger.previous_before(end) is not None
    assert calls_during(lambda: trigger.previous_before(end)) < MOST_CALLS


def test_an_old_start_costs_nothing() -> None:
    for rule in ("FREQ=MINUTELY;INTERVAL=15", "FREQ=DAILY", "FREQ=MONTHLY;BYMONTHDAY=-1"):
        trigger = rrule(rule, start=local("1026-01-01T09:00"), tz=BERLIN)
        answer = trigger.next_after(utc("2026-01-01"))
        assert answer is not None
        assert answer - utc("2026-01-01") < timedelta(days=31)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=DAILY", "every day at 09:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR,MO", "every 2 weeks on Monday and Friday at 09:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day of the month at 09:00"),
        (
            "FREQ=MONTHLY;BYDAY=-1FR,2MO",
            "every month on the 2nd Monday and the last Friday at 09:00",
        ),
        ("FREQ=MONTHLY", "every month on the 31st day of the month at 09:00"),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-2,1",
            "every month on Monday and Tuesday at 09:00 "
            "(only the 1st and 2nd to last of each month)",
        ),
        ("FREQ=YEARLY", "every year on the 31st day of the month in January at 09:00"),
        ("FREQ=YEARLY;BYYEARDAY=100", "every year on the 100th day of the year at 09:00"),
        ("FREQ=YEARLY;BYWEEKNO=12", "every year on Saturday in the 12th week of the year at 09:00"),
        (
            "FREQ=DAILY;BYHOUR=9,17;BYSECOND=0,30",
            "every day at 09:00, 09:00:30, 17:00 and 17:00:30",
        ),
        (
            "FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0,1,2,3",
            "every day at hours 9 and 17, minutes 0, 1, 2 and 3",
        ),
        ("FREQ=HOURLY;BYHOUR=9;BYMINUTE=0,30", "every hour at hour 9, minutes 0 and 30"),
        ("FREQ=SECONDLY;INTERVAL=30;COUNT=1", "every 30 seconds once"),
        ("FREQ=DAILY;COUNT=3", "every day at 09:00 3 times"),
        ("FREQ=DAILY;UNTIL=20270101T000000Z", "every day at 09:00 until 2027-01-01 00:00:00 UTC"),
        ("FREQ=DAILY;UNTIL=20270101T000000", "every day at 09:00 until 2027-01-01 00:00:00"),
    ],
)
def test_it_describes_itself_in_words(rule: str, words: str) -> None:
    trigger = rrule(rule, start=local("2026-01-31T09:00"), tz=BERLIN)
    assert trigger.describe() == f"{words} from 2026-01-31 09:00:00 (Europe/Berlin)"


def test_other_dates_and_options_are_described() -> None:
    date = local("2026-02-01T09:00")
    trigger = rrule("FREQ=DAILY", start=date, rdates=[date], exdates=[date, date], dst_gap="skip")
    assert trigger.describe() == (
        "every day at 09:00 and on 1 date except on 2 dates from 2026-02-01 09:00:00 "
        "(UTC; missing times are skipped)"
    )
