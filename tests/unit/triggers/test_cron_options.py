"""What the options of a cron rule change: clock changes, day fields, the ends of months, H."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.triggers import trigger_from_json
from tickwright.triggers.base import TriggerError
from tickwright.triggers.cron import Cron, cron
from tickwright.triggers.wallclock.clock import DstGap, DstOverlap, WallClock
from tickwright.triggers.wallclock.cron_text import parse_cron

from .test_cron_clock_changes import GAP, OVERLAP, firings_between, utc

YEAR = ("2026-01-01T00:00", "2027-01-01T00:00")


@pytest.mark.parametrize(
    ("expression", "gap", "expected"),
    [
        ("30 2 * * *", None, ["01:00"]),
        ("30 2 * * *", "after", ["01:00"]),
        ("30 2 * * *", "shift", ["01:30"]),
        ("30 2 * * *", "skip", []),
        ("0,30 2,3 * * *", "after", ["01:00", "01:30"]),
        ("15 2 * * *", "shift", ["01:15"]),
        ("15 2,3 * * *", "shift", ["01:15"]),
        ("20 2,3 * * *", "skip", ["01:20"]),
        ("10,50 2-3 * * *", "shift", ["01:10", "01:50"]),
        (
            "*/20 * * * *",
            None,
            [f"{h}:{m}" for h in ("00", "01", "02") for m in ("00", "20", "40")],
        ),
        ("45 2 * * *", "shift", ["01:45"]),
        # What runs in real time keeps to it, unless it is told otherwise.
        ("30 */2 * * *", None, ["02:30"]),
        ("30 */2 * * *", "after", ["01:00", "02:30"]),
        ("30 */2 * * *", "shift", ["01:30", "02:30"]),
    ],
)
def test_what_becomes_of_times_in_the_gap(
    expression: str, gap: str | None, expected: list[str]
) -> None:
    trigger = cron(expression, tz="Europe/Berlin", dst_gap=gap)
    start, end = GAP
    assert firings_between(trigger, start, end) == [f"2026-03-29T{time}" for time in expected]


@pytest.mark.parametrize(
    ("expression", "overlap", "expected"),
    [
        ("30 2 * * *", None, ["00:30"]),
        ("30 2 * * *", "first", ["00:30"]),
        ("30 2 * * *", "last", ["01:30"]),
        ("30 2 * * *", "both", ["00:30", "01:30"]),
        ("0,30 2 * * *", "last", ["01:00", "01:30"]),
        ("30 * * * *", None, ["00:30", "01:30"]),
        ("30 * * * *", "first", ["00:30"]),
        ("30 * * * *", "last", ["01:30"]),
    ],
)
def test_which_pass_of_a_repeated_hour_counts(
    expression: str, overlap: str | None, expected: list[str]
) -> None:
    trigger = cron(expression, tz="Europe/Berlin", dst_overlap=overlap)
    assert firings_between(trigger, *OVERLAP) == [f"2026-10-25T{time}" for time in expected]


@pytest.mark.parametrize(
    ("zone", "expression", "gap", "around", "expected"),
    [
        ("Australia/Lord_Howe", "15 2 * * *", "shift", "2026-10-03", ["2026-10-03T15:45"]),
        ("Australia/Lord_Howe", "15 2 * * *", "skip", "2026-10-03", []),
        ("Antarctica/Troll", "30 1,2 * * *", "shift", "2026-03-28", ["01:30", "02:30"]),
        ("Africa/Cairo", "0 0 * * *", "shift", "2026-04-23", ["2026-04-23T22:00"]),
        ("America/Havana", "30 0 * * *", "shift", "2026-03-07", ["2026-03-08T05:30"]),
        ("Europe/Dublin", "30 1 * * *", "shift", "2026-03-28", ["2026-03-29T01:30"]),
        # A gap of a day is nobody's clock change.
        ("Pacific/Apia", "0 9 30 12 *", "shift", "2011-12-29", []),
        ("Pacific/Apia", "0 9 30 12 *", "after", "2011-12-29", []),
    ],
)
def test_gaps_of_other_zones(
    zone: str, expression: str, gap: str, around: str, expected: list[str]
) -> None:
    begin = utc(f"{around}T12:00")
    if zone == "Pacific/Apia":
        begin = utc("2011-12-29T20:00")
    end = begin + timedelta(hours=22)
    trigger = cron(expression, tz=zone, dst_gap=gap)
    found = firings_between(trigger, f"{begin:%Y-%m-%dT%H:%M}", f"{end:%Y-%m-%dT%H:%M}")
    wanted = [text if "T" in text else f"2026-03-29T{text}" for text in expected]
    assert found == wanted


@pytest.mark.parametrize(
    ("expression", "gap", "overlap"),
    [
        (expression, gap, overlap)
        for expression in ("30 2 * * *", "*/20 1-3 * * *", "15 */1 * * *")
        for gap in (None, "after", "shift", "skip")
        for overlap in (None, "first", "last", "both")
    ],
)
@pytest.mark.parametrize("window", [GAP, OVERLAP])
def test_both_directions_see_the_same(
    expression: str, gap: str | None, overlap: str | None, window: tuple[str, str]
) -> None:
    trigger = cron(expression, tz="Europe/Berlin", dst_gap=gap, dst_overlap=overlap)
    start, end = (utc(edge) + timedelta(hours=shift) for edge, shift in zip(window, (-3, 3)))  # noqa: B905
    forwards, moment = [], start
    while (answer := trigger.next_after(moment)) is not None and answer < end:
        forwards.append(answer)
        moment = answer
    backwards, moment = [], end
    while (answer := trigger.previous_before(moment)) is not None and answer > start:
        backwards.append(answer)
        moment = answer
    assert backwards[::-1] == forwards


def days_of(trigger: Cron, window: tuple[str, str] = YEAR) -> list[str]:
    return [text[5:10] for text in firings_between(trigger, *window)]


def test_with_day_and_both_day_fields_must_match() -> None:
    assert days_of(cron("0 0 13 * 5", day_and=True)) == ["02-13", "03-13", "11-13"]
    assert len(days_of(cron("0 0 13 * 5"))) > 50


def test_days_that_a_month_lacks_move_to_its_last() -> None:
    clamped = days_of(cron("0 0 31 * *", month_end="clamp"))
    assert clamped == days_of(cron("0 0 L * *"))
    assert days_of(cron("0 0 30 2 *", month_end="clamp")) == ["02-28"]
    assert days_of(cron("0 0 29-31 2 *", month_end="clamp")) == ["02-28"]
    assert days_of(cron("0 0 28,31 2,3 *", month_end="clamp")) == ["02-28", "03-28", "03-31"]


def test_steps_through_a_month_are_not_moved() -> None:
    window = ("2026-04-01T00:00", "2026-05-01T00:00")
    for days in ("*/2", "1-31/2", "*"):
        plain = cron(f"0 0 {days} * *")
        assert days_of(cron(f"0 0 {days} * *", month_end="clamp"), window) == days_of(plain, window)


def first_time(expression: str, seed: str) -> datetime:
    answer = cron(expression, seed=seed).next_after(datetime(2026, 3, 1, tzinfo=UTC))
    assert answer is not None
    return answer


def test_h_is_the_same_for_ever_for_one_seed() -> None:
    """Stored schedules hang on these values."""
    assert first_time("H H * * *", "acme/nightly") == datetime(2026, 3, 1, 22, 27, tzinfo=UTC)


def test_h_spreads_schedules_evenly() -> None:
    minutes = Counter(first_time("H 3 * * *", f"acme/{n}").minute for n in range(6_000))
    assert set(minutes) == set(range(60))
    assert max(minutes.values()) < 150
    hours = {first_time("0 H(1-4) * * *", f"acme/{n}").hour for n in range(200)}
    assert hours == {1, 2, 3, 4}
    days = {first_time("0 0 H * *", f"acme/{n}").day for n in range(2_000)}
    assert days == set(range(1, 29))


def test_h_with_a_step_keeps_its_distance() -> None:
    for seed in ("a", "b", "c", "d"):
        trigger = cron("H/15 9 * * *", seed=seed)
        found = firings_between(trigger, "2026-03-01T00:00", "2026-03-02T00:00")
        minutes = [utc(text).minute for text in found]
        assert minutes == [minutes[0] + 15 * n for n in range(4)]
        trigger = cron("H(30-59)/20 9 * * *", seed=seed)
        found = firings_between(trigger, "2026-03-01T00:00", "2026-03-02T00:00")
        assert all(30 <= utc(text).minute <= 59 for text in found)


def test_h_may_stand_in_a_list() -> None:
    trigger = cron("H(0-9),30 9 * * *", seed="a")
    minutes = [
        utc(t).minute for t in firings_between(trigger, "2026-03-01T00:00", "2026-03-02T00:00")
    ]
    assert len(minutes) == 2
    assert minutes[0] < 10
    assert minutes[1] == 30


def test_a_rule_that_always_falls_into_a_gap_is_given_up_backwards_too() -> None:
    clock = WallClock(ZoneInfo("Europe/Berlin"), DstGap.SKIP, DstOverlap.FIRST)
    rule = parse_cron("30 2 * 3 0L")
    assert clock.previous_before(rule, utc("2190-01-01T00:00")) is None
    assert clock.next_after(rule, utc("2090-01-01T00:00")) is None


def test_h_takes_its_seed_from_the_schedule_once() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    spread = cron("H H * * *")
    stored = spread.anchored(moment, "acme/nightly")
    assert stored == cron("H H * * *", seed="acme/nightly")
    assert stored.anchored(moment, "else") is stored
    assert trigger_from_json(stored.to_json()) == stored
    assert stored.to_json()["seed"] == "acme/nightly"
    for step in (spread.next_after, spread.previous_before):
        with pytest.raises(TriggerError, match="seed"):
            step(moment)


def test_a_word_with_an_h_in_it_is_no_h() -> None:
    trigger = cron("0 0 * MAR THU")
    assert trigger.anchored(datetime(2026, 3, 1, tzinfo=UTC), "acme/x") is trigger


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"dstGap": "before"}, "trigger.dstGap"),
        ({"dstGap": None}, "trigger.dstGap"),
        ({"dstGap": 5}, "trigger.dstGap"),
        ({"dstOverlap": "FIRST"}, "trigger.dstOverlap"),
        ({"dstOverlap": ["first"]}, "trigger.dstOverlap"),
        ({"dayAnd": "yes"}, "trigger.dayAnd"),
        ({"dayAnd": 1}, "trigger.dayAnd"),
        ({"monthEnd": "last"}, "trigger.monthEnd"),
        ({"seed": "acme"}, "trigger.seed"),
        ({"seed": 5, "expression": "H * * * *"}, "trigger.seed"),
        ({"seed": "x" * 1001, "expression": "H * * * *"}, "trigger.seed"),
        ({"seed": "a\x00b", "expression": "H * * * *"}, "trigger.seed"),
        ({"dst_gap": "skip"}, "trigger.dst_gap"),
        ({"dstGap": "skip", "expression": "30 2 * 3 0L"}, "trigger.expression"),
        ({"expression": "0 0 H(29-31) 2 *", "seed": "c"}, "trigger.expression"),
    ],
)
def test_a_bad_option_is_refused(options: dict[str, Any], field: str) -> None:
    data = {"type": "cron", "expression": "0 9 * * *", "timezone": "Europe/Berlin", **options}
    with pytest.raises(InvalidInput) as refusal:
        trigger_from_json(data)
    assert refusal.value.field == field
    assert len(refusal.value.reason) < 250


def test_options_come_back_from_json() -> None:
    trigger = cron(
        "H 2 31 * 5",
        tz="Europe/Berlin",
        dst_gap="shift",
        dst_overlap="both",
        day_and=True,
        month_end="clamp",
        seed="acme/x",
    )
    assert trigger_from_json(trigger.to_json()) == trigger
    assert set(cron("0 9 * * *").to_json()) == {"type", "expression", "timezone"}


def test_options_are_put_into_words() -> None:
    shifted = cron("30 2 * * *", tz="Europe/Berlin", dst_gap="shift", dst_overlap="both")
    assert shifted.describe() == (
        "At 02:30 every day (Europe/Berlin; missing times are shifted; "
        "repeated times run both times)"
    )
    assert "if it's on Friday" in cron("0 0 13 * 5", day_and=True).describe()
    assert "last day of a shorter month" in cron("0 0 31 * *", month_end="clamp").describe()
    assert cron("H 3 * * *").describe() == "By H 3 * * * with each H spread by schedule (UTC)"
    assert cron("H 3 * * *", seed="acme/x").describe().startswith("At 03:")
