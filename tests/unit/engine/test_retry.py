"""What follows from how an attempt ended; the default numbers are those of semantics 5.8."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwright.engine.retry import LOST_ERROR, backoff_delay, decide
from tickwright.model.job import Ambiguity, Backoff, BackoffKind, Policy
from tickwright.model.run import (
    Cancelled,
    Cause,
    Claimed,
    Failed,
    Items,
    Lost,
    RunStatus,
    Succeeded,
)
from tickwright.model.scope import tenant

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
STEADY = Backoff(jitter=False)
BACKOFFS = st.builds(
    lambda base, factor, more, jitter: Backoff(base, factor, base + more, jitter),
    st.timedeltas(timedelta(0), HOUR),
    st.floats(1, 100),
    st.timedeltas(timedelta(0), 100 * HOUR),
    st.booleans(),
)


def run(attempt: int = 1, lost_count: int = 0, **policy: Any) -> Claimed:
    policy.setdefault("backoff", STEADY)
    return Claimed(
        id=UUID(int=1),
        scope=tenant("acme"),
        schedule_id=UUID(int=2),
        schedule_key="nightly",
        job_key="report",
        cause=Cause.SCHEDULE,
        nominal_at=NOW,
        run_at=NOW,
        target={},
        payload={},
        attempt=attempt,
        lease_token=1,
        lost_count=lost_count,
        policy=Policy(**policy),
        started_at=NOW,
    )


# Delays


def test_the_default_delays_double_from_ten_seconds_up_to_an_hour() -> None:
    delays = [backoff_delay(STEADY, attempt, 0.0).total_seconds() for attempt in range(1, 12)]
    assert delays == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 5), (0.5, 7.5), (1.0, 10)])
def test_by_default_half_of_a_delay_is_random(chance: float, seconds: float) -> None:
    assert backoff_delay(Backoff(), 1, chance).total_seconds() == seconds


@given(backoff=BACKOFFS, attempt=st.integers(1, 100), chance=st.floats(0, 1, exclude_max=True))
def test_a_delay_lies_between_half_and_all_of_what_was_asked_and_never_beyond_the_cap(
    backoff: Backoff, attempt: int, chance: float
) -> None:
    whole = backoff_delay(Backoff(backoff.base, backoff.factor, backoff.cap, False), attempt, 0.0)
    delay = backoff_delay(backoff, attempt, chance)
    rounding = timedelta(microseconds=2)
    assert whole / 2 - rounding <= delay <= whole + rounding
    assert whole <= backoff.cap
    assert delay == whole or backoff.jitter


@given(backoff=BACKOFFS, attempt=st.integers(1, 99))
def test_delays_never_shrink(backoff: Backoff, attempt: int) -> None:
    assert backoff_delay(backoff, attempt, 0.3) <= backoff_delay(backoff, attempt + 1, 0.3)


# Verdicts


def test_success_is_final_and_keeps_what_was_reported() -> None:
    ending = decide(run(attempt=2), Succeeded({"sent": 3}, Items(3, 2, 1)), NOW, 0.0)
    assert (ending.status, ending.outcome, ending.final) == (RunStatus.SUCCEEDED, "succeeded", True)
    assert (ending.result, ending.items, ending.error) == ({"sent": 3}, Items(3, 2, 1), None)
    assert (ending.attempt, ending.finished_at, ending.run_at) == (2, NOW, None)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 10), (2, 20)])
def test_a_failure_is_tried_again_after_its_delay(attempt: int, seconds: int) -> None:
    ending = decide(run(attempt), Failed("boom"), NOW, 0.0)
    assert (ending.status, ending.outcome, ending.final) == (RunStatus.QUEUED, "failed", False)
    assert ending.run_at == NOW + seconds * SECOND
    assert (ending.attempt, ending.error) == (attempt + 1, "boom")


def test_the_last_permitted_attempt_ends_dead() -> None:
    ending = decide(run(attempt=3), Failed("boom", result=[1], items=Items(1, 0, 1)), NOW, 0.0)
    assert (ending.status, ending.final) == (RunStatus.DEAD, True)
    assert (ending.attempt, ending.run_at, ending.error) == (3, None, "boom")
    assert (ending.result, ending.items) == ([1], Items(1, 0, 1))


@pytest.mark.parametrize("attempt", [1, 3])
def test_what_another_try_cannot_mend_fails_at_once(attempt: int) -> None:
    ending = decide(run(attempt), Failed("no such list", retryable=False), NOW, 0.0)
    assert (ending.status, ending.final, ending.run_at) == (RunStatus.FAILED, True, None)
    assert (ending.attempt, ending.error) == (attempt, "no such list")


@pytest.mark.parametrize(("asked", "waited"), [(5, 10), (10, 10), (90, 90), (7200, 7200)])
def test_the_target_may_ask_for_a_longer_wait_but_not_for_a_shorter_one(
    asked: int, waited: int
) -> None:
    ending = decide(run(), Failed("busy", retry_after=asked * SECOND), NOW, 0.0)
    assert ending.run_at == NOW + waited * SECOND


def test_retries_of_many_runs_are_spread_by_chance() -> None:
    times = {
        decide(run(backoff=Backoff()), Failed("boom"), NOW, chance / 10).run_at
        for chance in range(10)
    }
    assert len(times) == 10


def test_a_cancelled_attempt_ends_the_run_with_its_reason() -> None:
    ending = decide(run(), Cancelled("by ada"), NOW, 0.0)
    assert (ending.status, ending.final, ending.reason) == (RunStatus.CANCELLED, True, "by ada")
    assert (ending.outcome, ending.error) == ("cancelled", None)


# Lost workers


def test_a_lost_worker_costs_an_attempt_and_another_may_start_at_once() -> None:
    ending = decide(run(attempt=1), Lost(started=True), NOW, 0.0)
    assert (ending.status, ending.outcome) == (RunStatus.QUEUED, "lost")
    assert (ending.attempt, ending.lost_count, ending.run_at) == (2, 1, None)
    assert ending.error == LOST_ERROR


def test_a_run_that_had_not_started_loses_no_attempt() -> None:
    ending = decide(run(attempt=3), Lost(started=False), NOW, 0.0)
    assert (ending.status, ending.outcome) == (RunStatus.QUEUED, "lost")
    assert (ending.attempt, ending.lost_count, ending.run_at) == (3, 1, None)


def test_a_run_whose_last_attempt_was_lost_is_dead() -> None:
    ending = decide(run(attempt=3), Lost(started=True), NOW, 0.0)
    assert (ending.status, ending.outcome, ending.lost_count) == (RunStatus.DEAD, "lost", 1)


@pytest.mark.parametrize("started", [True, False])
def test_a_run_that_takes_its_workers_down_stops_after_max_lost(started: bool) -> None:
    for lost_before in range(3):
        again = decide(run(1, lost_before, max_attempts=100), Lost(started), NOW, 0.0)
        assert again.status is RunStatus.QUEUED
    ending = decide(run(1, 3, max_attempts=100), Lost(started), NOW, 0.0)
    assert (ending.status, ending.final) == (RunStatus.DEAD, True)
    assert (ending.lost_count, ending.error, ending.run_at) == (4, LOST_ERROR, None)


OUTCOMES = st.sampled_from(
    [Failed("boom"), Failed("boom", retry_after=SECOND), Lost(started=True), Lost(started=False)]
)


@given(st.lists(OUTCOMES, min_size=6, max_size=6))
def test_whatever_keeps_going_wrong_a_run_comes_to_an_end(outcomes: list[Failed | Lost]) -> None:
    attempt, lost_count, tries = 1, 0, 0
    while True:
        ending = decide(run(attempt, lost_count), outcomes[tries], NOW, 0.5)
        tries += 1
        if ending.final:
            break
        used = isinstance(outcomes[tries - 1], Failed) or outcomes[tries - 1] == Lost(started=True)
        assert ending.attempt == attempt + used
        attempt, lost_count = ending.attempt, ending.lost_count
    assert ending.status is RunStatus.DEAD
    assert (ending.run_at, ending.attempt) == (None, attempt)
    assert attempt <= 3
    assert lost_count <= 3


# Other kinds of backoff


@pytest.mark.parametrize(
    ("backoff", "seconds"),
    [
        (Backoff(kind=BackoffKind.NONE, jitter=False), [0, 0, 0, 0]),
        (Backoff(kind=BackoffKind.FIXED, jitter=False), [10, 10, 10, 10]),
        (Backoff(kind=BackoffKind.LINEAR, cap=35 * SECOND, jitter=False), [10, 20, 30, 35]),
        (
            Backoff(kind=BackoffKind.LIST, delays=(SECOND, 60 * SECOND, HOUR * 2), jitter=False),
            [1, 60, 7200, 7200],
        ),
    ],
)
def test_delays_grow_as_their_kind_says(backoff: Backoff, seconds: list[int]) -> None:
    delays = [backoff_delay(backoff, attempt, 0.0).total_seconds() for attempt in range(1, 5)]
    assert delays == seconds


@pytest.mark.parametrize("kind", [BackoffKind.FIXED, BackoffKind.LINEAR])
def test_half_of_every_kind_of_delay_can_be_random(kind: BackoffKind) -> None:
    assert backoff_delay(Backoff(kind=kind), 1, 0.0) == 5 * SECOND


# At most once, and no dead letters


@pytest.mark.parametrize("outcome", [Failed("timed out", ambiguous=True), Lost(started=True)])
def test_what_may_have_been_done_is_not_tried_again_where_that_is_forbidden(
    outcome: Failed | Lost,
) -> None:
    ending = decide(run(on_ambiguous=Ambiguity.FAIL), outcome, NOW, 0.5)
    assert (ending.status, ending.attempt) == (RunStatus.FAILED, 1)
    assert decide(run(), outcome, NOW, 0.5).status is RunStatus.QUEUED


@pytest.mark.parametrize("outcome", [Failed("refused"), Lost(started=False)])
def test_what_was_certainly_not_done_is_tried_again_all_the_same(outcome: Failed | Lost) -> None:
    ending = decide(run(on_ambiguous=Ambiguity.FAIL), outcome, NOW, 0.5)
    assert ending.status is RunStatus.QUEUED


@pytest.mark.parametrize(
    ("claimed", "outcome"),
    [
        (run(attempt=3, dead_letter=False), Failed("boom")),
        (run(lost_count=3, dead_letter=False), Lost(started=True)),
    ],
)
def test_without_dead_letters_a_run_without_attempts_left_has_failed(
    claimed: Claimed, outcome: Failed | Lost
) -> None:
    assert decide(claimed, outcome, NOW, 0.5).status is RunStatus.FAILED
