"""Whatever the rule, the policies and the outages: each moment is decided once, none too early."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tickwright.engine.planning import MAX_MOMENTS, first_run, plan
from tickwright.model.plan import Decision, Due, OpenRuns, Plan
from tickwright.model.run import Gate, RunStatus
from tickwright.model.schedule import (
    CATCHUP_WINDOW,
    MAX_CATCHUP,
    MISFIRE_THRESHOLD,
    Misfire,
    Overlap,
)
from tickwright.triggers import Trigger
from tickwright.triggers.cron import cron
from tickwright.triggers.interval import every
from tickwright.triggers.one_shot import at

BEGIN = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)
SECONDS = st.builds(timedelta, seconds=st.integers(0, 4 * 3600))

RULES = st.one_of(
    st.sampled_from([1, 7, 45, 60, 600, 3600, 86_400]).map(
        lambda seconds: every(timedelta(seconds=seconds), anchor=BEGIN)
    ),
    st.sampled_from(
        ["* * * * *", "*/15 * * * * *", "0 9 * * *", "30 2 * * *", "0 */2 * * *", "0 0 29 2 *"]
    ).map(lambda text: cron(text, tz="Europe/Berlin")),
    SECONDS.map(lambda after: at(BEGIN + after)),
)
SCHEDULES = st.fixed_dictionaries(
    {
        "misfire": st.sampled_from(Misfire),
        "overlap": st.sampled_from(Overlap),
        "overlap_limit": st.integers(1, 3),
        "max_runs": st.none() | st.integers(1, 5),
        "ends_at": st.none() | SECONDS.map(lambda after: BEGIN + 2 * after),
    }
)
# How long until the next tick, and whether an earlier run is still open then.
TICKS = st.lists(
    st.tuples(st.sampled_from([0, 1, 5, 61, 3600, 20_000, 90_000]), st.booleans()),
    min_size=1,
    max_size=8,
)


@dataclass
class History:
    """All that was decided about one schedule over a series of ticks."""

    trigger: Trigger
    misfire: Misfire
    plans: list[tuple[datetime, Plan]] = field(default_factory=list)
    now: datetime = BEGIN

    @property
    def decisions(self) -> list[Decision]:
        return [decision for _, made in self.plans for decision in made.decisions]

    @property
    def fired(self) -> list[Decision]:
        return [d for d in self.decisions if d.status is RunStatus.QUEUED]

    def moments(self, until: datetime) -> list[datetime]:
        """What the rule gives from the beginning up to `until`."""
        found = []
        moment = self.trigger.next_after(BEGIN)
        while moment is not None and moment <= until:
            found.append(moment)
            moment = self.trigger.next_after(moment)
        return found


def simulate(trigger: Trigger, options: dict[str, Any], ticks: list[tuple[int, bool]]) -> History:
    history = History(trigger, options["misfire"])
    upcoming = first_run(trigger, BEGIN, None, options["ends_at"])
    state = Due(UUID(int=1), "", upcoming or BEGIN, 0, **options)
    for gap, is_open in ticks:
        history.now += timedelta(seconds=gap)
        while upcoming is not None and upcoming <= history.now:
            state = replace(state, next_run_at=upcoming, open=OpenRuns(is_open))
            made = plan(state, trigger, history.now)
            history.plans.append((history.now, made))
            state = replace(state, fired_count=made.fired_count)
            upcoming = made.next_run_at
    return history


HISTORIES = st.builds(simulate, RULES, SCHEDULES, TICKS)
ends = settings(max_examples=80, deadline=None)


@ends
@given(HISTORIES)
def test_every_moment_up_to_the_cursor_is_covered_by_exactly_one_decision(
    history: History,
) -> None:
    if not history.plans:
        return
    last = history.plans[-1][1]
    assert last.decided_through is not None
    moments = history.moments(last.decided_through)
    covered = 0
    for decision in sorted(history.decisions, key=lambda d: d.nominal_at):
        stretch = moments[covered : covered + decision.count]
        assert stretch[0] == decision.nominal_at
        assert stretch[-1] == (decision.through_at or decision.nominal_at)
        assert (decision.through_at is None) == (decision.count == 1)
        covered += decision.count
    assert covered == len(moments)


@ends
@given(trigger=RULES, options=SCHEDULES, ticks=TICKS)
def test_nothing_up_to_now_is_left_out_unless_the_schedule_ended(
    trigger: Trigger, options: dict[str, Any], ticks: list[tuple[int, bool]]
) -> None:
    history = simulate(trigger, options, ticks)
    until = min(history.now, options["ends_at"] or history.now)
    moments = history.moments(until)
    if options["max_runs"] is not None and len(history.fired) == options["max_runs"]:
        moments = [m for m in moments if m <= history.fired[-1].nominal_at]
    assert sum(decision.count for decision in history.decisions) == len(moments)


@ends
@given(trigger=RULES, options=SCHEDULES, ticks=TICKS)
def test_the_next_occurrence_is_the_first_one_after_all_that_is_decided(
    trigger: Trigger, options: dict[str, Any], ticks: list[tuple[int, bool]]
) -> None:
    for _, made in simulate(trigger, options, ticks).plans:
        assert made.decided_through is not None
        assert made.spent == (made.next_run_at is None)
        if made.next_run_at is None:
            continue
        assert made.next_run_at > made.decided_through
        assert made.next_run_at == trigger.next_after(made.decided_through)
        assert options["ends_at"] is None or made.next_run_at <= options["ends_at"]


@ends
@given(trigger=RULES, options=SCHEDULES, ticks=TICKS)
def test_runs_never_exceed_what_is_permitted_and_are_counted_as_they_fire(
    trigger: Trigger, options: dict[str, Any], ticks: list[tuple[int, bool]]
) -> None:
    history = simulate(trigger, options, ticks)
    limit = options["max_runs"]
    assert limit is None or len(history.fired) <= limit
    counted = history.plans[-1][1].fired_count if history.plans else 0
    assert counted == len(history.fired)


@ends
@given(HISTORIES)
def test_nothing_fires_early_and_only_what_its_policy_makes_up_for_fires_late(
    history: History,
) -> None:
    for now, made in history.plans:
        assert sum(d.count for d in made.decisions) <= MAX_MOMENTS
        fired = [d.nominal_at for d in made.decisions if d.status is RunStatus.QUEUED]
        assert all(moment <= now for moment in fired)
        late = [m for m in fired if now - m > MISFIRE_THRESHOLD]
        if history.trigger.recurring and history.misfire is Misfire.FIRE_ALL:
            assert len(late) <= MAX_CATCHUP
            assert all(now - moment <= CATCHUP_WINDOW for moment in late)
        elif history.trigger.recurring and late:
            assert fired == late == [made.decided_through]
            assert made.next_run_at is None or made.next_run_at > now


@ends
@given(trigger=RULES, options=SCHEDULES, ticks=TICKS)
def test_an_open_run_is_never_joined_by_another_unless_overlap_allows_it(
    trigger: Trigger, options: dict[str, Any], ticks: list[tuple[int, bool]]
) -> None:
    open_then, limit = dict[datetime, bool](), options["overlap_limit"]
    now = BEGIN
    for gap, is_open in ticks:
        now += timedelta(seconds=gap)
        open_then[now] = is_open
    if options["overlap"] is Overlap.ALLOW or len(open_then) < len(ticks):
        return
    for now, made in simulate(trigger, options, ticks).plans:
        gates = [d.gate for d in made.decisions if d.status is RunStatus.QUEUED]
        assert gates.count(None) <= (0 if open_then[now] else 1)
        assert gates.count(Gate.OVERLAP) <= (limit if options["overlap"].serial else 0)
