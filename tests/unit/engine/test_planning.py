"""What one tick decides about one due schedule: which moments fire, which do not, what is next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tickwright.engine.planning import MAX_MOMENTS, first_run, park, plan
from tickwright.model.plan import NONE_OPEN, Decision, Due, OpenRuns, Plan
from tickwright.model.run import Gate, RunStatus
from tickwright.model.schedule import Misfire, Overlap
from tickwright.triggers import Trigger
from tickwright.triggers.cron import cron
from tickwright.triggers.interval import every
from tickwright.triggers.one_shot import at

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
DAY = timedelta(days=1)
HOURLY, SECONDLY = every("1h", anchor=NINE), every("1s", anchor=NINE)
QUEUED, MISSED, SKIPPED = RunStatus.QUEUED, RunStatus.MISSED, RunStatus.SKIPPED


def due(**changes: Any) -> Due:
    given: dict[str, Any] = {
        "schedule_id": UUID(int=1),
        "trigger": "",
        "next_run_at": NINE,
        "fired_count": 0,
        "open": NONE_OPEN,
    }
    return Due(**(given | changes))


def decided(made: Plan) -> list[tuple[datetime, RunStatus, str | None, int]]:
    return [(d.nominal_at, d.status, d.reason, d.count) for d in made.decisions]


def fired(made: Plan) -> list[datetime]:
    return [d.nominal_at for d in made.decisions if d.status is QUEUED]


# On time


@pytest.mark.parametrize("late", [timedelta(0), SECOND, MINUTE])
def test_an_occurrence_up_to_a_minute_late_fires_as_if_on_time(late: timedelta) -> None:
    for misfire in Misfire:
        made = plan(due(misfire=misfire), HOURLY, NINE + late)
        assert decided(made) == [(NINE, QUEUED, None, 1)]
        assert (made.next_run_at, made.decided_through) == (NINE + HOUR, NINE)
        assert (made.fired_count, made.spent, made.parked) == (1, False, None)


def test_the_next_occurrence_steps_from_the_last_one_not_from_now() -> None:
    made = plan(due(), every("90s", anchor=NINE), NINE + MINUTE)
    assert made.next_run_at == NINE + 90 * SECOND


def test_the_count_goes_on_from_what_was_fired_before() -> None:
    assert plan(due(fired_count=41), HOURLY, NINE).fired_count == 42


# Misfire


def test_after_a_downtime_only_the_newest_occurrence_fires_and_the_rest_is_one_row() -> None:
    made = plan(due(), HOURLY, NINE + 4.5 * HOUR)
    assert made.decisions == [
        Decision(NINE, MISSED, "coalesced", through_at=NINE + 3 * HOUR, count=4),
        Decision(NINE + 4 * HOUR, QUEUED),
    ]
    assert (made.next_run_at, made.decided_through) == (NINE + 5 * HOUR, NINE + 4 * HOUR)
    assert made.fired_count == 1


def test_a_single_missed_occurrence_fires_late_and_nothing_is_coalesced() -> None:
    assert decided(plan(due(), HOURLY, NINE + 2 * MINUTE)) == [(NINE, QUEUED, None, 1)]


def test_with_skip_nothing_late_fires() -> None:
    made = plan(due(misfire=Misfire.SKIP), HOURLY, NINE + 2.5 * HOUR)
    assert made.decisions == [
        Decision(NINE, MISSED, "misfire", through_at=NINE + 2 * HOUR, count=3)
    ]
    assert (made.next_run_at, made.fired_count, made.spent) == (NINE + 3 * HOUR, 0, False)


def test_one_undone_moment_is_a_row_without_an_end() -> None:
    made = plan(due(misfire=Misfire.SKIP), HOURLY, NINE + 2 * MINUTE)
    assert made.decisions == [Decision(NINE, MISSED, "misfire", through_at=None, count=1)]


def test_an_occurrence_that_is_on_time_wins_over_all_that_were_missed() -> None:
    made = plan(due(), HOURLY, NINE + 3 * HOUR)
    assert decided(made) == [
        (NINE, MISSED, "coalesced", 3),
        (NINE + 3 * HOUR, QUEUED, None, 1),
    ]


def test_with_skip_what_is_on_time_still_fires() -> None:
    made = plan(due(misfire=Misfire.SKIP), HOURLY, NINE + 2 * HOUR)
    assert decided(made) == [(NINE, MISSED, "misfire", 2), (NINE + 2 * HOUR, QUEUED, None, 1)]


# A backlog longer than one tick decides


def run_through(trigger: Trigger, now: datetime, **changes: Any) -> tuple[list[Decision], int]:
    """All decisions until nothing is due any more, and how many ticks that took."""
    state, decisions, ticks = due(**changes), list[Decision](), 0
    while True:
        made = plan(state, trigger, now)
        decisions += made.decisions
        ticks += 1
        if made.next_run_at is None or made.next_run_at > now:
            return decisions, ticks
        state = replace(state, next_run_at=made.next_run_at, fired_count=made.fired_count)


def test_two_weeks_of_a_rule_a_second_are_decided_in_bounded_ticks_once_each() -> None:
    now = NINE + 14 * DAY
    decisions, ticks = run_through(SECONDLY, now)
    assert ticks == -(-(14 * 86_400 + 1) // MAX_MOMENTS)
    covered = NINE - SECOND
    for decision in decisions:
        assert decision.nominal_at == covered + SECOND
        covered = decision.through_at or decision.nominal_at
        assert decision.count == (covered - decision.nominal_at) // SECOND + 1
    assert covered == now
    [only] = [d for d in decisions if d.status is QUEUED]
    assert now - only.nominal_at <= MINUTE


def test_two_weeks_of_a_rule_every_two_minutes_fire_the_newest_at_the_end() -> None:
    now = NINE + 14 * DAY + 90 * SECOND
    decisions, ticks = run_through(every("2m", anchor=NINE), now)
    assert ticks == 6
    assert sum(d.count for d in decisions) == 14 * 720 + 1
    assert [d.nominal_at for d in decisions if d.status is QUEUED] == [NINE + 14 * DAY]
    assert decisions[-1].status is QUEUED


def test_with_skip_a_long_backlog_fires_nothing_late() -> None:
    decisions, _ = run_through(
        every("2m", anchor=NINE), NINE + 14 * DAY + 90 * SECOND, misfire=Misfire.SKIP
    )
    assert {(d.status, d.reason) for d in decisions} == {(MISSED, "misfire")}


def test_while_a_backlog_is_being_decided_its_middle_does_not_fire() -> None:
    made = plan(due(), HOURLY, NINE + 2 * MAX_MOMENTS * HOUR)
    assert decided(made) == [(NINE, MISSED, "coalesced", MAX_MOMENTS)]
    assert made.next_run_at == NINE + MAX_MOMENTS * HOUR


def test_a_backlog_of_exactly_one_tick_fires_its_newest() -> None:
    now = NINE + (MAX_MOMENTS - 1) * HOUR + 2 * MINUTE
    made = plan(due(), HOURLY, now)
    assert fired(made) == [NINE + (MAX_MOMENTS - 1) * HOUR]


# Overlap


def test_while_a_run_is_open_an_occurrence_is_skipped() -> None:
    made = plan(due(open=OpenRuns(1)), HOURLY, NINE)
    assert decided(made) == [(NINE, SKIPPED, "overlap", 1)]
    assert (made.next_run_at, made.fired_count) == (NINE + HOUR, 0)


def test_with_allow_an_open_run_holds_nothing_up() -> None:
    made = plan(due(open=OpenRuns(1), overlap=Overlap.ALLOW), HOURLY, NINE)
    assert decided(made) == [(NINE, QUEUED, None, 1)]


def test_of_several_occurrences_on_time_the_first_fires_and_skips_the_others() -> None:
    made = plan(due(), SECONDLY, NINE + 3 * SECOND)
    assert made.decisions == [
        Decision(NINE, QUEUED),
        Decision(NINE + SECOND, SKIPPED, "overlap", through_at=NINE + 3 * SECOND, count=3),
    ]
    assert made.fired_count == 1


def test_a_late_timer_loses_no_tick() -> None:
    made = plan(due(overlap=Overlap.ALLOW), SECONDLY, NINE + 5.5 * SECOND)
    assert fired(made) == [NINE + n * SECOND for n in range(6)]
    assert made.next_run_at == NINE + 6 * SECOND


def test_the_newest_missed_occurrence_is_skipped_too_while_a_run_is_open() -> None:
    made = plan(due(open=OpenRuns(1)), HOURLY, NINE + 2.5 * HOUR)
    assert decided(made) == [
        (NINE, MISSED, "coalesced", 2),
        (NINE + 2 * HOUR, SKIPPED, "overlap", 1),
    ]


def test_in_line_as_many_wait_as_may_and_the_rest_is_skipped() -> None:
    made = plan(due(overlap=Overlap.QUEUE, overlap_limit=2), SECONDLY, NINE + 4 * SECOND)
    assert made.decisions == [
        Decision(NINE, QUEUED),
        Decision(NINE + SECOND, QUEUED, gate=Gate.OVERLAP),
        Decision(NINE + 2 * SECOND, QUEUED, gate=Gate.OVERLAP),
        Decision(NINE + 3 * SECOND, SKIPPED, "overlap", through_at=NINE + 4 * SECOND, count=2),
    ]
    assert (made.fired_count, made.make_way) == (3, False)


def test_nobody_passes_those_who_wait_already() -> None:
    state = due(overlap=Overlap.QUEUE, open=OpenRuns(active=0, waiting=1))
    assert decided(plan(state, HOURLY, NINE)) == [(NINE, SKIPPED, "overlap", 1)]


def test_to_replace_what_runs_the_newest_waits_until_it_has_stopped() -> None:
    state = due(overlap=Overlap.CANCEL_RUNNING, open=OpenRuns(active=1, waiting=1))
    made = plan(state, SECONDLY, NINE + 2 * SECOND)
    assert made.decisions == [
        Decision(NINE, SKIPPED, "overlap", through_at=NINE + SECOND, count=2),
        Decision(NINE + 2 * SECOND, QUEUED, gate=Gate.OVERLAP),
    ]
    assert (made.fired_count, made.make_way) == (1, True)


def test_with_nothing_open_there_is_nothing_to_replace() -> None:
    made = plan(due(overlap=Overlap.CANCEL_RUNNING), HOURLY, NINE)
    assert made.decisions == [Decision(NINE, QUEUED)]
    assert made.make_way is False


def test_a_schedule_that_may_not_fire_again_replaces_nothing() -> None:
    state = due(overlap=Overlap.CANCEL_RUNNING, open=OpenRuns(1), max_runs=1, fired_count=1)
    made = plan(state, HOURLY, NINE)
    assert (made.decisions, made.make_way, made.spent) == ([], False, True)


# Ends


def test_the_last_permitted_run_spends_the_schedule() -> None:
    made = plan(due(max_runs=3, fired_count=2), HOURLY, NINE)
    assert (made.fired_count, made.spent, made.next_run_at) == (3, True, None)


def test_never_more_runs_than_permitted_fire_and_what_follows_stays_undecided() -> None:
    made = plan(due(max_runs=2, overlap=Overlap.ALLOW), SECONDLY, NINE + 9 * SECOND)
    assert fired(made) == [NINE, NINE + SECOND]
    assert (made.fired_count, made.spent) == (2, True)
    assert made.decided_through == NINE + SECOND


def test_a_schedule_that_has_had_all_its_runs_fires_no_more() -> None:
    made = plan(due(max_runs=3, fired_count=3), HOURLY, NINE)
    assert (made.decisions, made.fired_count, made.decided_through) == ([], 3, None)
    assert (made.spent, made.next_run_at) == (True, None)


def test_skipped_and_missed_occurrences_do_not_count_towards_the_permitted_runs() -> None:
    assert plan(due(max_runs=1, open=OpenRuns(1)), HOURLY, NINE).spent is False
    late = plan(due(max_runs=1, misfire=Misfire.SKIP), HOURLY, NINE + 5.5 * HOUR)
    assert (late.fired_count, late.spent) == (0, False)


@pytest.mark.parametrize(
    ("ends_at", "upcoming"),
    [(NINE + HOUR, NINE + HOUR), (NINE + HOUR - SECOND, None), (NINE, None)],
)
def test_nothing_comes_after_the_end_and_the_end_itself_counts(
    ends_at: datetime, upcoming: datetime | None
) -> None:
    made = plan(due(ends_at=ends_at), HOURLY, NINE)
    assert fired(made) == [NINE]
    assert (made.next_run_at, made.spent) == (upcoming, upcoming is None)


def test_a_downtime_over_the_end_fires_the_last_occurrence_before_it() -> None:
    made = plan(due(ends_at=NINE + 2.5 * HOUR), HOURLY, NINE + 9 * HOUR)
    assert decided(made) == [(NINE, MISSED, "coalesced", 2), (NINE + 2 * HOUR, QUEUED, None, 1)]
    assert (made.spent, made.next_run_at) == (True, None)


# Making up for what was missed

ALL: dict[str, Any] = {"misfire": Misfire.FIRE_ALL, "overlap": Overlap.ALLOW}


def test_fire_all_makes_up_for_each_occurrence_oldest_first() -> None:
    made = plan(due(**ALL), HOURLY, NINE + 3.5 * HOUR)
    assert decided(made) == [(NINE + n * HOUR, QUEUED, None, 1) for n in range(4)]
    assert (made.fired_count, made.next_run_at) == (4, NINE + 4 * HOUR)


def test_fire_all_goes_back_a_day_and_no_further() -> None:
    made = plan(due(**ALL), HOURLY, NINE + 2 * DAY)
    assert decided(made)[0] == (NINE, MISSED, "catchup_window", 24)
    assert fired(made) == [NINE + n * HOUR for n in range(24, 49)]


def test_fire_all_makes_up_for_the_newest_hundred() -> None:
    """What is on time comes on top."""
    made = plan(due(**ALL), every("1m", anchor=NINE), NINE + 10 * HOUR)
    assert decided(made)[0] == (NINE, MISSED, "catchup_window", 499)
    assert fired(made) == [NINE + n * MINUTE for n in range(499, 601)]


@pytest.mark.parametrize("spare", [0, 1, 50, 99, 100])
def test_the_newest_hundred_are_the_same_however_a_backlog_is_cut(spare: int) -> None:
    """A backlog of two parts whose second has so many late moments."""
    moments = MAX_MOMENTS + spare + 61
    now = NINE + (moments - 1) * SECOND
    made = plan(due(**ALL), SECONDLY, now)
    rest = plan(due(next_run_at=made.next_run_at, **ALL), SECONDLY, now)
    late = [m for m in fired(made) + fired(rest) if now - m > MINUTE]
    assert late == [NINE + n * SECOND for n in range(moments - 161, moments - 61)]
    assert sum(d.count for d in made.decisions + rest.decisions) == moments


def test_a_bound_on_runs_also_bounds_what_is_made_up_for() -> None:
    made = plan(due(max_runs=2, **ALL), HOURLY, NINE + 5 * HOUR)
    assert (fired(made), made.spent) == ([NINE, NINE + HOUR], True)


@pytest.mark.parametrize("late", [timedelta(0), MINUTE, 30 * DAY, 4000 * DAY])
@pytest.mark.parametrize("misfire", Misfire)
def test_a_single_time_runs_however_late_it_is(late: timedelta, misfire: Misfire) -> None:
    made = plan(due(misfire=misfire), at(NINE), NINE + late)
    assert decided(made) == [(NINE, QUEUED, None, 1)]
    assert (made.spent, made.next_run_at, made.decided_through) == (True, None, NINE)


# A rule that fails


def test_a_rule_that_cannot_be_evaluated_waits_with_its_error() -> None:
    made = park(due(fired_count=7), ValueError("no such month"))
    assert (made.parked, made.decisions) == ("ValueError: no such month", [])
    assert (made.next_run_at, made.decided_through, made.fired_count) == (None, None, 7)
    assert made.spent is False


def test_the_error_that_is_kept_is_short_and_can_be_stored_anywhere() -> None:
    parked = park(due(), ValueError("\x00\ud800" + "☃" * 5000)).parked
    assert parked is not None
    assert parked.startswith("ValueError: ")
    assert "\x00" not in parked
    assert len(parked.encode()) <= 500


# The first occurrence


@pytest.mark.parametrize(
    ("now", "starts_at", "ends_at", "first"),
    [
        (NINE, None, None, NINE + HOUR),
        (NINE - SECOND, None, None, NINE),
        (NINE, NINE, None, NINE + HOUR),
        (NINE - DAY, NINE, None, NINE),
        (NINE - DAY, NINE + SECOND, None, NINE + HOUR),
        (NINE, NINE + 5 * HOUR, None, NINE + 5 * HOUR),
        (NINE, NINE - 5 * DAY, None, NINE + HOUR),
        (NINE, None, NINE + HOUR, NINE + HOUR),
        (NINE, None, NINE + HOUR - SECOND, None),
        (NINE, NINE + DAY, NINE + DAY, NINE + DAY),
        (NINE, NINE + DAY + SECOND, NINE + DAY + MINUTE, None),
    ],
)
def test_the_first_occurrence_lies_after_now_and_within_both_bounds(
    now: datetime, starts_at: datetime | None, ends_at: datetime | None, first: datetime | None
) -> None:
    assert first_run(HOURLY, now, starts_at, ends_at) == first


def test_a_single_time_that_has_passed_has_no_first_occurrence() -> None:
    assert first_run(at(NINE), NINE, None, None) is None
    assert first_run(at(NINE), NINE - SECOND, None, None) == NINE


def test_a_wall_clock_rule_starts_at_its_first_match() -> None:
    assert first_run(cron("30 9 * * 1"), NINE, None, None) == NINE + 30 * MINUTE
