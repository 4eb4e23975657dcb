"""A one-shot happens at its moment, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.triggers.one_shot import OneShot, at

MOMENT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def test_it_happens_once() -> None:
    trigger = at(MOMENT)
    assert trigger.next_after(MOMENT - timedelta(days=365)) == MOMENT
    assert trigger.next_after(MOMENT - timedelta(microseconds=1)) == MOMENT
    assert trigger.next_after(MOMENT) is None
    assert trigger.next_after(MOMENT + timedelta(seconds=1)) is None


def test_before_it_there_was_nothing() -> None:
    trigger = at(MOMENT)
    assert trigger.previous_before(MOMENT + timedelta(days=365)) == MOMENT
    assert trigger.previous_before(MOMENT + timedelta(microseconds=1)) == MOMENT
    assert trigger.previous_before(MOMENT) is None


def test_its_moment_is_kept_in_utc() -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert at(elsewhere) == at(MOMENT)
    assert at(elsewhere).at.tzinfo is UTC
    assert at(elsewhere).to_json() == {"type": "one_shot", "at": "2026-03-01T09:00:00Z"}


def test_it_describes_itself_in_words() -> None:
    assert at(MOMENT).describe() == "once at 2026-03-01 09:00:00 UTC"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T09:00:00Z", MOMENT),
        ("2026-03-01t09:00:00z", MOMENT),
        ("2026-03-01T10:00:00+01:00", MOMENT),
        ("2026-03-01T09:00:00.25Z", MOMENT + timedelta(milliseconds=250)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read(text: str, moment: datetime) -> None:
    assert OneShot.from_json({"type": "one_shot", "at": text}).at == moment


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "tomorrow",
        "2026-03-01",
        "2026-03-01T09:00:00",
        "2026-03-01 09:00:00Z",
        "2026-03-01T09:00Z",
        "20260301T090000Z",
        "2026-W09-7T09:00:00Z",
        "2026-02-30T09:00:00Z",
        "2026-13-01T09:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T09:00:60Z",
        "2026-03-01T09:00:00+99:00",
        "2026-03-01T09:00:00.1234567Z",
        "2026-03-01T09:00:00Z ",
        "2026-03-01T09:00:00Z\x00",
        "\u0662026-03-01T09:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "12026-03-01T09:00:00Z",
        "1e18",
        "9" * 10_000,
        "\ud800",
        None,
        0,
        1_772_355_600,
        True,
        [],
        {},
        MOMENT,
    ],
)
def test_a_bad_moment_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        OneShot.from_json({"type": "one_shot", "at": value})
    assert refusal.value.field == "trigger.at"
    assert len(refusal.value.reason) < 200


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "options", "moment"),
    [
        ("2026-03-01T09:00:00", {}, "2026-03-01T08:00:00"),
        ("2026-03-01T09:00:00.250000", {}, "2026-03-01T08:00:00.250000"),
        # In the gap, and in the hour that comes twice.
        ("2026-03-29T02:30:00", {}, "2026-03-29T01:00:00"),
        ("2026-03-29T02:30:00", {"dstGap": "after"}, "2026-03-29T01:00:00"),
        ("2026-03-29T02:30:00", {"dstGap": "shift"}, "2026-03-29T01:30:00"),
        ("2026-10-25T02:30:00", {}, "2026-10-25T00:30:00"),
        ("2026-10-25T02:30:00", {"dstOverlap": "first"}, "2026-10-25T00:30:00"),
        ("2026-10-25T02:30:00", {"dstOverlap": "last"}, "2026-10-25T01:30:00"),
        ("2026-10-25T02:30:00+02:00", {}, "2026-10-25T00:30:00"),
        ("2026-10-25T02:30:00+01:00", {}, "2026-10-25T01:30:00"),
        ("2026-10-25T01:30:00Z", {}, "2026-10-25T01:30:00"),
        ("2026-03-01T09:00:00", {"dstGap": "skip", "dstOverlap": "last"}, "2026-03-01T08:00:00"),
    ],
)
def test_a_time_on_the_clock_of_a_zone(text: str, options: dict[str, str], moment: str) -> None:
    data = {"type": "one_shot", "at": text, "timezone": BERLIN, **options}
    trigger = OneShot.from_json(data)
    wanted = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert trigger.next_after(MOMENT - timedelta(days=9)) == wanted
    assert trigger.previous_before(MOMENT + timedelta(days=900)) == wanted
    assert trigger.to_json() == data


def test_a_datetime_may_say_with_its_fold_which_pass_it_means() -> None:
    second = at(datetime.fromisoformat("2026-10-25T02:30").replace(fold=1), tz=BERLIN)
    assert second == at(datetime.fromisoformat("2026-10-25T02:30"), tz=BERLIN, dst_overlap="last")
    assert second.next_after(MOMENT) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"timezone": "Nowhere/Here"}, "trigger.timezone"),
        ({"timezone": 5}, "trigger.timezone"),
        ({"timezone": None}, "trigger.timezone"),
        ({"dstGap": "skip"}, "trigger.at"),
        ({"dstGap": "soon"}, "trigger.dstGap"),
        ({"dstOverlap": "both"}, "trigger.dstOverlap"),
        ({"at": "2026-03-29T02:30:00+05:00"}, "trigger.at"),
        ({"at": "2026-03-29T03:30:00+01:00"}, "trigger.at"),
        ({"at": "2026-03-29T03:30:00+02:00", "dstGap": "shift"}, "trigger.dstGap"),
        ({"at": "2026-02-30T02:30:00"}, "trigger.at"),
        ({"at": "2026-03-29"}, "trigger.at"),
        ({"at": "2011-12-30T09:00:00", "timezone": "Pacific/Apia"}, "trigger.at"),
        ({"at": "9999-12-31T23:30:00"}, "trigger.at"),
        ({"at": "9999-12-31T23:30:00Z"}, "trigger.at"),
    ],
)
def test_a_bad_local_time_is_refused(changes: dict[str, object], field: str) -> None:
    data = {"type": "one_shot", "at": "2026-03-29T02:30:00", "timezone": BERLIN, **changes}
    with pytest.raises(InvalidInput) as refusal:
        OneShot.from_json(data)
    assert refusal.value.field == field


def test_options_need_a_zone() -> None:
    for options in ({"dst_gap": "shift"}, {"dst_overlap": "last"}):
        with pytest.raises(InvalidInput, match="time zone"):
            at(MOMENT, **options)


def test_a_local_time_describes_itself_in_both_clocks() -> None:
    assert at(datetime.fromisoformat("2026-03-29T02:30"), tz=BERLIN).describe() == (
        "once at 2026-03-29 02:30:00 (Europe/Berlin), which is 2026-03-29 01:00:00 UTC"
    )


def test_a_datetime_without_zone_is_refused() -> None:
    with pytest.raises(InvalidInput) as refusal:
        at(MOMENT.replace(tzinfo=None))
    assert refusal.value.field == "trigger.at"


def test_a_datetime_outside_the_years_of_utc_is_refused() -> None:
    with pytest.raises(InvalidInput) as refusal:
        at(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))))
    assert refusal.value.field == "trigger.at"
