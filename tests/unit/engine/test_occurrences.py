"""From the instants of a rule to when they are due: calendars, windows, jitter."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickwright.engine.occurrences import Course, Occurrence, wake_at
from tickwright.engine.planning import begin, halt, next_after, plan
from tickwright.model.plan import Decision, Due, Plan
from tickwright.model.run import Gate, RunStatus
from tickwright.model.schedule import Overlap
from tickwright.model.timing import OnClosed, OutsideWindow, Timing, Window
from tickwright.triggers import Trigger
from tickwright.triggers.cron import cron
from tickwright.triggers.interval import every

BERLIN = ZoneInfo("Europe/Berlin")
SECOND, MINUTE, HOUR, DAY = (
    timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days")
)
QUEUED, MISSED, SKIPPED = RunStatus.QUEUED, RunStatus.MISSED, RunStatus.SKIPPED
DAILY = cron("0 9 * * *", tz="Europe/Berlin")


class Week:
    """Open from Monday to Friday in Berlin, save on these days."""

    def __init__(self, *closed: str, zone: ZoneInfo = BERLIN) -> None:
        self._closed = {date.fromisoformat(day) for day in closed}
        self._zone = zone

    def closed_at(self, moment: datetime) -> str | None:
        day = moment.astimezone(self._zone).date()
        if day in self._closed:
            return "a holiday"
        return None if day.weekday() < 5 else f"{day:%A}"


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def timing(**changes: Any) -> Timing:
    return Timing(**({"timezone": "Europe/Berlin"} | changes))


def course(trigger: Trigger, *closed: str, **changes: Any) -> Course:
    return Course(trigger, next_after, None, timing(**changes), Week(*closed))


def due(first: datetime, *closed: str, **changes: Any) -> Due:
    """Due at its first undecided instant, with the week's calendar."""
    given: dict[str, Any] = {
        "schedule_id": UUID(int=1),
        "trigger": "",
        "next_run_at": first,
        "fired_count": 0,
        "overlap": Overlap.ALLOW,
        "next_nominal": first,
        "timing": timing(),
        "open_times": Week(*closed),
    }
    return Due(**(given | changes))


def decided(made: Plan) -> list[tuple[datetime, RunStatus, str | None, int]]:
    return [(d.nominal_at, d.status, d.reason, d.count) for d in made.decisions]


SATURDAY, SUNDAY, MONDAY = (berlin(f"2026-03-{day:02}T09:00") for day in (14, 15, 16))
FRIDAY = berlin("2026-03-13T09:00")


# Closed days


def test_an_occurrence_on_a_closed_day_is_skipped_with_the_day_s_name() -> None:
    assert course(DAILY).at(SATURDAY) == Occurrence(SATURDAY, SATURDAY, "calendar", ("Saturday",))
    assert course(DAILY).at(MONDAY) == Occurrence(MONDAY, MONDAY)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (OnClosed.NEXT, "2026-05-04T09:00"),
        (OnClosed.PREVIOUS, "2026-04-30T09:00"),
        (OnClosed.NEAREST, "2026-04-30T09:00"),
        (OnClosed.MODIFIED_NEXT, "2026-05-04T09:00"),
        (OnClosed.MODIFIED_PREVIOUS, "2026-05-04T09:00"),
    ],
)
def test_a_holiday_before_a_weekend_moves_as_it_is_asked_to(rule: OnClosed, expected: str) -> None:
    """The first of May 2026 is a Friday: the day before is nearer, but in another month."""
    first_of_may = berlin("2026-05-01T09:00")
    moved = course(DAILY, "2026-05-01", on_closed=rule).at(first_of_may)
    assert (moved.due, moved.notes) == (berlin(expected), ("moved from a holiday",))


def test_between_two_days_equally_near_the_later_one_is_taken() -> None:
    wednesday = berlin("2026-03-11T09:00")
    moved = course(DAILY, "2026-03-11", on_closed=OnClosed.NEAREST).at(wednesday)
    assert moved.due == wednesday + DAY


def test_payroll_at_the_end_of_the_month_moves_to_the_working_day_before() -> None:
    last = berlin("2026-05-31T08:00")
    payroll = course(cron("0 8 L * *", tz="Europe/Berlin"), on_closed=OnClosed.PREVIOUS)
    assert payroll.at(last).due == berlin("2026-05-29T08:00")
    assert wake_at(payroll, last) == berlin("2026-05-29T08:00")


def test_a_moved_occurrence_keeps_its_time_of_day_over_a_clock_change() -> None:
    before = berlin("2026-03-28T02:30")
    moved = course(
        cron("30 2 * * *", tz="Europe/Berlin"), "2026-03-30", on_closed=OnClosed.NEXT
    ).at(before)
    assert moved.due == berlin("2026-03-31T02:30")


def test_where_no_day_is_open_within_a_month_it_is_skipped() -> None:
    days = [f"{FRIDAY.date() + n * DAY}" for n in range(-40, 40)]
    moved = course(DAILY, *days, on_closed=OnClosed.NEXT).at(FRIDAY)
    assert moved.skipped == "calendar_no_day"


# Windows


def test_a_window_may_reach_over_midnight() -> None:
    night = Window(time(22), time(6))
    reading = datetime(2026, 3, 11)  # noqa: DTZ001 - a reading of a clock
    inside = [hour for hour in range(24) if night.has(reading.replace(hour=hour))]
    assert inside == [0, 1, 2, 3, 4, 5, 22, 23]


def test_outside_its_window_an_occurrence_is_skipped_or_waits_for_it_to_open() -> None:
    noon = berlin("2026-03-11T12:00")
    night: dict[str, Any] = {"window": Window(time(22), time(6))}
    skipped = course(DAILY, **night).at(noon)
    assert (skipped.skipped, skipped.notes) == ("window", ("outside 22:00-06:00",))
    waits = course(DAILY, **night, outside_window=OutsideWindow.DEFER).at(noon)
    assert (waits.skipped, waits.due) == (None, berlin("2026-03-11T22:00"))


# Jitter


@given(st.integers(0, 2**128 - 1), st.integers(0, 5000))
def test_jitter_delays_by_the_same_each_time_and_stays_before_the_next(
    key: int, number: int
) -> None:
    trigger = every("5m", anchor=MONDAY)
    nominal = MONDAY + number * 5 * MINUTE
    spread = Course(trigger, next_after, None, Timing(jitter=HOUR), schedule_id=UUID(int=key))
    once, again = spread.at(nominal), spread.at(nominal)
    assert once == again
    assert nominal <= once.due < nominal + 5 * MINUTE


def test_jitter_differs_between_schedules_and_fills_its_room() -> None:
    spreads = [
        Course(DAILY, next_after, None, Timing(jitter=HOUR), schedule_id=UUID(int=n)).at(MONDAY).due
        - MONDAY
        for n in range(200)
    ]
    assert max(spreads) > 0.9 * HOUR
    assert min(spreads) < 0.1 * HOUR


def test_jitter_reaches_no_closed_day_and_leaves_no_window() -> None:
    late = cron("59 23 * * 5", tz="Europe/Berlin")
    friday = berlin("2026-03-13T23:59")
    for n in range(50):
        spread = Course(late, next_after, None, timing(jitter=DAY), Week(), schedule_id=UUID(int=n))
        assert spread.at(friday).due.astimezone(BERLIN).weekday() in (0, 4)


# What one tick decides


def test_closed_days_are_decided_as_one_stretch_when_the_next_open_one_comes() -> None:
    made = plan(due(SATURDAY), DAILY, MONDAY)
    assert decided(made) == [(SATURDAY, SKIPPED, "calendar", 2), (MONDAY, QUEUED, None, 1)]
    assert (made.next_nominal, made.next_run_at) == (MONDAY + DAY, MONDAY + DAY)
    friday = plan(due(FRIDAY), DAILY, FRIDAY)
    assert (friday.next_nominal, friday.next_run_at) == (SATURDAY, MONDAY)


def test_days_that_move_to_one_day_fold_into_its_own_occurrence() -> None:
    folding = {"timing": timing(on_closed=OnClosed.NEXT)}
    made = plan(due(SATURDAY, **folding), DAILY, MONDAY)
    assert decided(made) == [(SATURDAY, MISSED, "coalesced", 2), (MONDAY, QUEUED, None, 1)]


def test_what_moves_to_an_earlier_day_is_decided_then() -> None:
    weekly = cron("0 9 * * 6", tz="Europe/Berlin")
    back = {"timing": timing(on_closed=OnClosed.PREVIOUS)}
    made = plan(due(SATURDAY, next_run_at=FRIDAY, **back), weekly, FRIDAY)
    assert made.decisions == [Decision(SATURDAY, QUEUED, run_at=FRIDAY)]
    assert (made.next_nominal, made.next_run_at) == (SATURDAY + 7 * DAY, FRIDAY + 7 * DAY)
    assert made.decided_through == SATURDAY


def test_what_comes_before_something_moved_earlier_waits_for_its_own_time() -> None:
    """Friday at nine and Saturday at eight, which moves to Friday: order of instants is kept."""
    friday, saturday = berlin("2026-03-13T09:00"), berlin("2026-03-14T08:00")

    def step(_: Trigger, moment: datetime) -> datetime | None:
        return next((at for at in (friday, saturday) if at > moment), None)

    back = {"timing": timing(on_closed=OnClosed.PREVIOUS)}
    eight = berlin("2026-03-13T08:00")
    made = plan(due(friday, next_run_at=eight, **back), DAILY, eight, step)
    assert made.decisions == [
        Decision(friday, QUEUED, gate=Gate.TIME),
        Decision(saturday, QUEUED, run_at=eight),
    ]


def test_deferred_occurrences_fold_into_the_last_one() -> None:
    hourly = every("1h", anchor=berlin("2026-03-11T06:00"))
    night = {"timing": timing(window=Window(time(22), time(6)), outside_window=OutsideWindow.DEFER)}
    opens = berlin("2026-03-11T22:00")
    made = plan(due(berlin("2026-03-11T06:00"), next_run_at=opens, **night), hourly, opens)
    assert [(status, reason, count) for _, status, reason, count in decided(made)] == [
        (MISSED, "coalesced", 16),
        (QUEUED, None, 1),
    ]


def test_a_halted_schedule_skips_what_its_calendar_would_have_skipped_too() -> None:
    made = halt(due(SATURDAY), DAILY, MONDAY, "paused")
    assert decided(made) == [(SATURDAY, SKIPPED, "paused", 3)]


def test_what_was_moved_to_before_its_schedule_was_made_is_owed_by_nobody() -> None:
    weekly = course(cron("0 9 * * 6", tz="Europe/Berlin"), on_closed=OnClosed.PREVIOUS)
    after = FRIDAY + HOUR
    assert begin(weekly, after, None) == (FRIDAY + 7 * DAY, SATURDAY + 7 * DAY)


ROLLS = st.sampled_from(list(OnClosed))
RULES = st.sampled_from(
    [DAILY, cron("30 17 * * 1,6", tz="Europe/Berlin"), cron("0 8 L * *", tz="Europe/Berlin")]
)


@settings(max_examples=80, deadline=None)
@given(
    RULES,
    ROLLS,
    st.lists(st.integers(0, 60), max_size=20),
    st.integers(0, 40),
    st.sampled_from([None, Window(time(8), time(18)), Window(time(20), time(4))]),
    st.sampled_from(list(OutsideWindow)),
)
def test_every_instant_is_decided_once_and_nothing_fires_while_it_is_closed(
    trigger: Trigger,
    rule: OnClosed,
    holidays: list[int],
    begins: int,
    window: Window | None,
    outside: OutsideWindow,
) -> None:
    """Seventy days, ticked whenever the cursor asks for it."""
    start = berlin("2026-03-01T00:00") + begins * DAY
    closed = [f"{date(2026, 3, 1) + n * DAY}" for n in holidays]
    how: dict[str, Any] = {
        "timing": timing(on_closed=rule, window=window, outside_window=outside),
        "open_times": Week(*closed),
    }
    whole = Course(trigger, next_after, None, how["timing"], how["open_times"])
    wake, nominal = begin(whole, start, None)
    decisions: list[Decision] = []
    first = nominal
    while wake is not None and nominal is not None and wake < start + 70 * DAY:
        made = plan(due(nominal, next_run_at=wake, **how), trigger, wake)
        assert made.decisions
        assert made.next_run_at is not None
        assert made.next_run_at > wake
        decisions += made.decisions
        wake, nominal = made.next_run_at, made.next_nominal
    expected: list[datetime] = []
    while first is not None and nominal is not None and first < nominal:
        expected.append(first)
        first = next_after(trigger, first)
    covered: list[datetime] = []
    for each in decisions:
        moment: datetime | None = each.nominal_at
        for _ in range(each.count):
            assert moment is not None
            covered.append(moment)
            moment = next_after(trigger, moment)
    assert covered == expected
    runs = [each.run_at or each.nominal_at for each in decisions if each.status is QUEUED]
    assert all(Week(*closed).closed_at(at) is None for at in runs)
    assert len(set(runs)) == len(runs)
    if window is not None:
        readings = [at.astimezone(BERLIN).replace(tzinfo=None) for at in runs]
        assert all(window.has(reading) for reading in readings)
