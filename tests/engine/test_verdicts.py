"""What a handler says of its own attempt is what becomes of the run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tickwright import Ambiguity, Cancel, Discard, Policy, Retry, Snooze, at
from tickwright.engine.outcomes import MAX_SNOOZE, kept
from tickwright.model.run import Failed, RunStatus, Snoozed
from tickwright.model.verdict import Verdict
from tickwright.testing import ManualScheduler

from .support import ACME, DAY, HOUR, MINUTE, START, Work, listen, the_run


async def once(scheduler: ManualScheduler, *verdicts: Verdict) -> Work:
    """A run whose handler raises these one after the other, and then succeeds."""
    left = list(verdicts)

    def does() -> str:
        if left:
            raise left.pop(0)
        return "done"

    work = Work(does=does)
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", at(START), key="once")
    await scheduler.tick()
    return work


async def test_a_snoozed_run_begins_again_without_costing_an_attempt(
    scheduler: ManualScheduler,
) -> None:
    heard = listen(scheduler)
    work = await once(scheduler, *[Snooze(HOUR)] * 5)
    run = await the_run(scheduler, "once")
    assert (run.status, run.attempt, run.run_at) == (RunStatus.QUEUED, 1, START + HOUR)
    await scheduler.advance(HOUR - MINUTE)
    assert work.attempts == [1]
    await scheduler.advance(DAY)
    run = await the_run(scheduler, "once")
    assert (run.status, run.attempt, run.result) == (RunStatus.SUCCEEDED, 1, "done")
    assert work.attempts == [1] * 6
    assert await scheduler.attempts(ACME, run.id) == []
    assert "run.failed" not in heard.names("run.")


async def test_a_run_is_tried_again_when_its_handler_says(scheduler: ManualScheduler) -> None:
    await once(scheduler, Retry(2 * HOUR, "the service is closed"))
    run = await the_run(scheduler, "once")
    assert (run.status, run.attempt, run.run_at) == (RunStatus.QUEUED, 2, START + 2 * HOUR)
    assert run.error == "the service is closed"


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(Cancel("obsolete"), RunStatus.CANCELLED), (Discard("obsolete"), RunStatus.FAILED)],
)
async def test_a_run_that_its_handler_ends_is_not_tried_again(
    scheduler: ManualScheduler, verdict: Verdict, status: RunStatus
) -> None:
    work = await once(scheduler, verdict)
    await scheduler.advance(DAY)
    run = await the_run(scheduler, "once")
    assert (run.status, run.attempt) == (status, 1)
    assert "obsolete" in (run.reason, run.error)
    assert work.attempts == [1]


async def test_a_verdict_is_no_ambiguity(scheduler: ManualScheduler) -> None:
    await scheduler.define_job(ACME, "report", Policy(on_ambiguous=Ambiguity.FAIL))
    await once(scheduler, Retry())
    assert (await the_run(scheduler, "once")).status is RunStatus.QUEUED


def test_nobody_snoozes_for_ever_or_backwards() -> None:
    assert kept(Snoozed(timedelta(days=999))) == Snoozed(MAX_SNOOZE)
    assert kept(Snoozed(timedelta(-1))) == Snoozed(timedelta(0))


def test_what_is_kept_of_a_failure_says_whether_it_was_ambiguous() -> None:
    assert kept(Failed("boom", ambiguous=True)) == Failed("boom", ambiguous=True)
