"""A fixed rate keeps to anchor + n x interval, whatever happens in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import TriggerError
from tickwright.triggers.interval import Interval, every

ANCHOR = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("1s", timedelta(seconds=1)),
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("90m", timedelta(minutes=90)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(seconds=86_400)),
        ("1w", timedelta(days=7)),
        ("1h30m", timedelta(minutes=90)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("1.5h", timedelta(minutes=90)),
        ("0.5m", timedelta(seconds=30)),
        ("3653d", timedelta(days=3653)),
        ("PT15M", timedelta(minutes=15)),
        ("PT1H30M", timedelta(minutes=90)),
        ("P1D", timedelta(days=1)),
        ("P2W", timedelta(days=14)),
        ("P1DT12H", timedelta(hours=36)),
        ("PT1.5H", timedelta(minutes=90)),
    ],
)
def test_an_interval_is_read(text: str, duration: timedelta) -> None:
    assert every(text).every == duration
    assert every(duration) == every(text)


def test_it_steps_from_its_anchor_not_from_the_moment() -> None:
    trigger = every("15m", anchor=ANCHOR)
    assert trigger.next_after(ANCHOR + timedelta(minutes=7)) == ANCHOR + timedelta(minutes=15)
    assert trigger.next_after(ANCHOR + timedelta(minutes=15)) == ANCHOR + timedelta(minutes=30)
    assert trigger.next_after(ANCHOR + timedelta(days=900, seconds=1)) == ANCHOR + timedelta(
        days=900, minutes=15
    )


def test_its_anchor_is_its_first_instant() -> None:
    trigger = every("2h", anchor=ANCHOR)
    assert trigger.next_after(ANCHOR - timedelta(days=30)) == ANCHOR
    assert trigger.next_after(ANCHOR - timedelta(microseconds=1)) == ANCHOR
    assert trigger.next_after(ANCHOR) == ANCHOR + timedelta(hours=2)


def test_it_walks_back_to_its_anchor() -> None:
    trigger = every("15m", anchor=ANCHOR)
    assert trigger.previous_before(ANCHOR + timedelta(minutes=37)) == ANCHOR + timedelta(minutes=30)
    assert trigger.previous_before(ANCHOR + timedelta(minutes=30)) == ANCHOR + timedelta(minutes=15)
    assert trigger.previous_before(ANCHOR + timedelta(microseconds=1)) == ANCHOR
    assert trigger.previous_before(ANCHOR) is None
    assert trigger.previous_before(ANCHOR - timedelta(days=1)) is None


def test_a_day_is_86400_seconds_when_the_clocks_change() -> None:
    evening = datetime(2026, 3, 28, 20, 0, tzinfo=timezone(timedelta(hours=1)))
    trigger = every("1d", anchor=evening)
    assert trigger.next_after(evening) == datetime(2026, 3, 29, 19, 0, tzinfo=UTC)


def test_a_duration_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="must be a duration"):
        Interval(15)  # type: ignore[arg-type]


def test_it_is_anchored_once() -> None:
    anchored = every("15m").anchored(ANCHOR)
    assert anchored == every("15m", anchor=ANCHOR)
    assert anchored.anchored(ANCHOR + SECOND) is anchored


def test_without_an_anchor_it_has_no_instants() -> None:
    with pytest.raises(TriggerError, match="anchor"):
        every("15m").next_after(ANCHOR)
    with pytest.raises(TriggerError, match="anchor"):
        every("15m").previous_before(ANCHOR)


def test_it_ends_with_the_calendar_instead_of_overflowing() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert every("1s", anchor=ANCHOR).next_after(last) is None
    assert every("3653d", anchor=ANCHOR).next_after(last - timedelta(days=10)) is None
    first = datetime(1, 1, 1, tzinfo=UTC)
    assert every("1s", anchor=first).next_after(last - SECOND) == last.replace(microsecond=0)
    assert every("1s", anchor=last).next_after(first) == last


BAD_INTERVALS = [
    "",
    " ",
    "0",
    "0s",
    "0d0h",
    "15",
    "m",
    "-15m",
    "+15m",
    "15m ",
    " 15m",
    "15 m",
    "1h 30m",
    "1h,30m",
    "1h!!30m",
    "30m1h",
    "1h1h",
    "15M",
    "1mo",
    "1mm",
    "1y",
    "500ms",
    "1us",
    "1ns",
    "15min",
    "15x",
    "0.5s",
    "1.5s",
    "1.0000001s",
    ".5m",
    "1.m",
    "1..5m",
    "1e3s",
    "0x10s",
    "infs",
    "nans",
    "P",
    "PT",
    "P1DT",
    "pt15m",
    "PT15",
    "P15",
    "P1H",
    "PT1D",
    "-PT15M",
    "PT1M1H",
    "PT0S",
    "P1M",
    "P1Y",
    "P1Y2M3D",
    "P1YT1H",
    "3654d",
    "10000w",
    "3652d24h1s",
    "9" * 20 + "d",
    "9" * 31 + "d",
    "9" * 10_000 + "d",
    "\u0661\u0665m",
    "15\u3000m",
    "15m\x00",
    "15m\n",
    "\ud800",
]


@pytest.mark.parametrize("text", BAD_INTERVALS)
def test_a_bad_interval_is_refused(text: str) -> None:
    for attempt in (every, lambda given: Interval.from_json({"type": "interval", "every": given})):
        with pytest.raises(InvalidInput) as refusal:
            attempt(text)
        assert refusal.value.field == "trigger.every"
        assert len(refusal.value.reason) < 200


@pytest.mark.parametrize("text", ["P1M", "P1Y", "P1Y2M3D", "P3M1D", "P0Y1D", "P1W2M"])
def test_months_and_years_are_refused_for_what_they_are(text: str) -> None:
    with pytest.raises(InvalidInput, match="months or years"):
        every(text)


def test_an_iso_duration_is_kept_as_what_it_means() -> None:
    assert every("PT90M").to_json() == {"type": "interval", "every": "1h30m"}


@pytest.mark.parametrize("value", [None, 15, 15.0, True, [], {}, b"15m", timedelta(minutes=15)])
def test_an_interval_in_json_must_be_a_string(value: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Interval.from_json({"type": "interval", "every": value})
    assert refusal.value.field == "trigger.every"


@pytest.mark.parametrize(
    "duration",
    [
        timedelta(),
        -SECOND,
        timedelta(microseconds=999_999),
        timedelta(seconds=1, microseconds=1),
        timedelta(days=3653, seconds=1),
        timedelta.max,
        timedelta.min,
    ],
)
def test_a_bad_duration_is_refused(duration: timedelta) -> None:
    with pytest.raises(InvalidInput) as refusal:
        every(duration)
    assert refusal.value.field == "trigger.every"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("15m", "every 15 minutes"),
        ("1m", "every minute"),
        ("1d", "every day"),
        ("24h", "every day"),
        ("1w", "every 7 days"),
        ("90m", "every 1 hour and 30 minutes"),
        ("1d2h1s", "every 1 day, 2 hours and 1 second"),
    ],
)
def test_it_describes_itself_in_words(text: str, words: str) -> None:
    assert every(text).describe() == words
