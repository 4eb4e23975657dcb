"""What follows from how an attempt ended: a final status, or another try. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from tickwright.model.job import Ambiguity, Backoff, BackoffKind
from tickwright.model.run import (
    Cancelled,
    Claimed,
    Ending,
    Failed,
    Lost,
    Outcome,
    RunStatus,
    Snoozed,
    Succeeded,
)

LOST_ERROR = "the worker was lost while it held this run"


def backoff_delay(backoff: Backoff, attempt: int, chance: float) -> timedelta:
    """Delay after failed attempt number `attempt` (from 1); `chance` in [0, 1) is the jitter.

    Equal jitter: uniform between half the delay and the delay.
    """
    seconds = min(_grown(backoff, attempt), backoff.cap.total_seconds())
    if backoff.kind is BackoffKind.LIST:
        seconds = backoff.delays[min(attempt, len(backoff.delays)) - 1].total_seconds()
    if backoff.jitter:
        seconds *= 0.5 + chance / 2
    return timedelta(seconds=seconds)


def _grown(backoff: Backoff, attempt: int) -> float:
    base = backoff.base.total_seconds()
    match backoff.kind:
        case BackoffKind.NONE:
            return 0.0
        case BackoffKind.LINEAR:
            return base * attempt
        case BackoffKind.EXPONENTIAL:
            return base * backoff.factor ** min(attempt - 1, 64)
        case _:
            return base


def decide(run: Claimed, outcome: Outcome, now: datetime, chance: float) -> Ending:
    """The verdict on one attempt of `run`; `chance` in [0, 1) spreads the retries."""
    if isinstance(outcome, Succeeded):
        return Ending(
            run,
            RunStatus.SUCCEEDED,
            now,
            "succeeded",
            attempt=run.attempt,
            lost_count=run.lost_count,
            result=outcome.result,
            items=outcome.items,
        )
    if isinstance(outcome, Cancelled):
        return Ending(
            run,
            RunStatus.CANCELLED,
            now,
            "cancelled",
            attempt=run.attempt,
            lost_count=run.lost_count,
            reason=outcome.reason,
        )
    if isinstance(outcome, Snoozed):
        return Ending(
            run,
            RunStatus.QUEUED,
            now,
            "snoozed",
            attempt=run.attempt,
            lost_count=run.lost_count,
            run_at=now + outcome.delay,
        )
    if isinstance(outcome, Lost):
        return _lost(run, outcome, now, chance)
    return _failed(run, outcome, now, chance)


def _failed(run: Claimed, outcome: Failed, now: datetime, chance: float) -> Ending:
    ending = Ending(
        run,
        RunStatus.FAILED,
        now,
        outcome.kind,
        attempt=run.attempt,
        lost_count=run.lost_count,
        error=outcome.error,
        result=outcome.result,
        items=outcome.items,
    )
    at_most_once = outcome.ambiguous and run.policy.on_ambiguous is Ambiguity.FAIL
    if at_most_once or not outcome.retryable:
        return ending
    if run.attempt >= run.policy.max_attempts:
        ending.status = _exhausted(run)
        return ending
    delay = backoff_delay(run.policy.backoff, run.attempt, chance)
    if outcome.retry_after is not None:
        delay = max(delay, outcome.retry_after)
    ending.status = RunStatus.QUEUED
    ending.attempt = run.attempt + 1
    ending.run_at = now + delay
    return ending


def _exhausted(run: Claimed) -> RunStatus:
    return RunStatus.DEAD if run.policy.dead_letter else RunStatus.FAILED


def _lost(run: Claimed, outcome: Lost, now: datetime, chance: float) -> Ending:
    lost_count = run.lost_count + 1
    if lost_count > run.policy.max_lost:
        status = _exhausted(run)
    elif not outcome.started:
        # Claimed is not started: taking it back costs no attempt, only a place in max_lost.
        return Ending(
            run,
            RunStatus.QUEUED,
            now,
            "lost",
            attempt=run.attempt,
            lost_count=lost_count,
            error=LOST_ERROR,
        )
    else:
        ending = _failed(run, Failed(LOST_ERROR, ambiguous=True), now, chance)
        ending.outcome, ending.lost_count = "lost", lost_count
        if ending.status is RunStatus.QUEUED:
            # The work did not fail, its worker did: another one may start at once.
            ending.run_at = None
        return ending
    return Ending(
        run, status, now, "lost", attempt=run.attempt, lost_count=lost_count, error=LOST_ERROR
    )
