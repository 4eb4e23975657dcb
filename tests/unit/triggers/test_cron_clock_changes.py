"""What cron does when a zone's clock jumps: golden vectors, worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tickwright.triggers.cron import Cron, cron


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def firings_between(trigger: Cron, start: str, end: str) -> list[str]:
    """Every firing after `start` and before `end`, as UTC minutes."""
    found = []
    moment, last = utc(start) - timedelta(seconds=1), utc(end)
    while (answer := trigger.next_after(moment)) is not None and answer < last:
        found.append(f"{answer:%Y-%m-%dT%H:%M}" + (f":{answer:%S}" if answer.second else ""))
        moment = answer
    return found


GAP = ("2026-03-29T00:00", "2026-03-29T03:00")
OVERLAP = ("2026-10-25T00:00", "2026-10-25T02:00")

VECTORS = [
    ("Europe/Berlin", "30 2 * * *", GAP, ["2026-03-29T01:00"]),
    ("Europe/Berlin", "30 2 * * *", OVERLAP, ["2026-10-25T00:30"]),
    ("Europe/Berlin", "0 2,3 * * *", GAP, ["2026-03-29T01:00"]),
    ("Europe/Berlin", "0 */2 * * *", OVERLAP, ["2026-10-25T00:00", "2026-10-25T01:00"]),
    ("Europe/Berlin", "30 * * * *", OVERLAP, ["2026-10-25T00:30", "2026-10-25T01:30"]),
    (
        "Europe/Berlin",
        "15 1-4 * * *",
        GAP,
        ["2026-03-29T00:15", "2026-03-29T01:00", "2026-03-29T01:15", "2026-03-29T02:15"],
    ),
    (
        "America/Santiago",
        "0 0 * * 0",
        ("2026-09-06T00:00", "2026-09-07T00:00"),
        ["2026-09-06T04:00"],
    ),
    ("Europe/Berlin", "30 */2 * * *", GAP, ["2026-03-29T02:30"]),
    (
        "Europe/Berlin",
        "*/20 2 * * *",
        ("2026-03-28T00:00", "2026-03-30T12:00"),
        [f"2026-03-28T01:{m}" for m in ("00", "20", "40")]
        + [f"2026-03-30T00:{m}" for m in ("00", "20", "40")],
    ),
    (
        "Europe/Berlin",
        "*/20 2 * * *",
        ("2026-10-25T00:00", "2026-10-25T12:00"),
        [f"2026-10-25T0{h}:{m}" for h in (0, 1) for m in ("00", "20", "40")],
    ),
    ("Europe/Berlin", "30 0-5 * * *", OVERLAP, ["2026-10-25T00:30"]),
    (
        "Europe/Berlin",
        "30 0-5 * * *",
        GAP,
        [f"2026-03-29T{t}" for t in ("00:30", "01:00", "01:30", "02:30")],
    ),
    (
        "Europe/Berlin",
        "30 2 29 3 *",
        ("2026-01-01T00:00", "2028-01-01T00:00"),
        ["2026-03-29T01:00", "2027-03-29T00:30"],
    ),
    # Half an hour is missing, and comes twice.
    (
        "Australia/Lord_Howe",
        "15 2 * * *",
        ("2026-10-03T12:00", "2026-10-04T12:00"),
        ["2026-10-03T15:30"],
    ),
    (
        "Australia/Lord_Howe",
        "45 1 * * *",
        ("2026-04-04T12:00", "2026-04-05T12:00"),
        ["2026-04-04T14:45"],
    ),
    (
        "Australia/Lord_Howe",
        "*/15 1 * * *",
        ("2026-04-04T12:00", "2026-04-05T12:00"),
        [f"2026-04-04T{time}" for time in ("14:00", "14:15", "14:30", "14:45", "15:00", "15:15")],
    ),
    # Two hours are missing, and come twice.
    (
        "Antarctica/Troll",
        "30 1,2 * * *",
        ("2026-03-28T12:00", "2026-03-29T12:00"),
        ["2026-03-29T01:00"],
    ),
    (
        "Antarctica/Troll",
        "30 1,2 * * *",
        ("2026-10-24T12:00", "2026-10-25T12:00"),
        ["2026-10-24T23:30", "2026-10-25T00:30"],
    ),
    (
        "Pacific/Chatham",
        "0 3 * * *",
        ("2026-09-26T00:00", "2026-09-27T00:00"),
        ["2026-09-26T14:00"],
    ),
    (
        "Pacific/Chatham",
        "0 3 * * *",
        ("2026-04-04T00:00", "2026-04-05T00:00"),
        ["2026-04-04T13:15"],
    ),
    # The day begins at 01:00.
    ("Africa/Cairo", "0 0 * * *", ("2026-04-23T00:00", "2026-04-24T12:00"), ["2026-04-23T22:00"]),
    ("Asia/Beirut", "30 0 * * *", ("2026-03-28T00:00", "2026-03-29T12:00"), ["2026-03-28T22:00"]),
    ("America/Havana", "0 0 * * *", ("2026-03-08T00:00", "2026-03-08T12:00"), ["2026-03-08T05:00"]),
    # Winter is the exception in Ireland: negative daylight saving.
    ("Europe/Dublin", "30 1 * * *", ("2026-03-29T00:00", "2026-03-29T12:00"), ["2026-03-29T01:00"]),
    ("Europe/Dublin", "30 1 * * *", ("2026-10-25T00:00", "2026-10-25T12:00"), ["2026-10-25T00:30"]),
    # 30 December 2011 did not exist in Samoa.
    (
        "Pacific/Apia",
        "0 9 * * *",
        ("2011-12-29T00:00", "2012-01-01T00:00"),
        ["2011-12-29T19:00", "2011-12-30T19:00", "2011-12-31T19:00"],
    ),
    ("Pacific/Apia", "0 9 30 12 *", ("2011-01-01T00:00", "2013-01-01T00:00"), ["2012-12-29T19:00"]),
    (
        "Pacific/Apia",
        "0 */12 * * *",
        ("2011-12-29T20:00", "2011-12-31T00:00"),
        ["2011-12-29T22:00", "2011-12-30T10:00", "2011-12-30T22:00"],
    ),
    # Seconds: one value is a chosen time, several run in real time.
    ("Europe/Berlin", "15 30 2 * * *", GAP, ["2026-03-29T01:00"]),
    ("Europe/Berlin", "15 30 2 * * *", OVERLAP, ["2026-10-25T00:30:15"]),
    ("Europe/Berlin", "15,45 30 2 * * *", GAP, []),
    (
        "Europe/Berlin",
        "15,45 30 2 * * *",
        OVERLAP,
        [f"2026-10-25T0{h}:30:{s}" for h in (0, 1) for s in (15, 45)],
    ),
]


@pytest.mark.parametrize(("zone", "expression", "window", "expected"), VECTORS)
def test_golden_vectors(
    zone: str, expression: str, window: tuple[str, str], expected: list[str]
) -> None:
    assert firings_between(cron(expression, tz=zone), *window) == expected


@pytest.mark.parametrize(
    ("zone", "expression", "first_pass", "second_pass_ends"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-10-25T00:30", "2026-10-25T02:00"),
        ("America/New_York", "30 1 * * *", "2026-11-01T05:30", "2026-11-01T07:00"),
        ("Pacific/Chatham", "0 3 * * *", "2026-04-04T13:15", "2026-04-04T15:00"),
        ("Antarctica/Troll", "30 1 * * *", "2026-10-24T23:30", "2026-10-25T03:00"),
    ],
)
def test_a_fixed_time_is_over_for_the_day_during_the_second_pass(
    zone: str, expression: str, first_pass: str, second_pass_ends: str
) -> None:
    trigger = cron(expression, tz=zone)
    moment = utc(first_pass)
    while moment < utc(second_pass_ends):
        answer = trigger.next_after(moment)
        assert answer is not None
        assert answer - utc(first_pass) > timedelta(hours=20)
        moment += timedelta(minutes=1)


def test_the_order_of_instants_does_not_depend_on_the_zone_of_the_moment() -> None:
    trigger = cron("30 2 * * *", tz="Europe/Berlin")
    moment = utc("2026-10-25T00:10")
    elsewhere = moment.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    assert trigger.next_after(elsewhere) == trigger.next_after(moment)


def test_a_fixed_time_that_every_year_falls_into_the_gap_runs_after_it() -> None:
    trigger = cron("30 2 * 3 0L", tz="Europe/Berlin")
    assert firings_between(trigger, "2026-01-01T00:00", "2028-01-01T00:00") == [
        "2026-03-29T01:00",
        "2027-03-28T01:00",
    ]
