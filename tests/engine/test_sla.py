"""Runs that begin too late or take too long are told, each once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tickwright import Policy, Snooze, at, every
from tickwright.store.base import Offer
from tickwright.testing import FakeClock, ManualScheduler

from .support import ACME, HOUR, MINUTE, SECOND, START, Heard, Work, listen, under_way

PUNCTUAL = Policy(sla_start=5 * MINUTE)


@pytest.fixture
async def two(database_url: str, clock: FakeClock) -> AsyncIterator[ManualScheduler]:
    async with ManualScheduler(database_url, clock=clock) as started:
        yield started


def late(heard: Heard) -> list[tuple[int, bool]]:
    return [(event.data["lateMs"], event.data["waiting"]) for event in heard.of("run.late")]


async def waiting(scheduler: ManualScheduler, policy: Policy = PUNCTUAL) -> None:
    """A run that is due now and has nobody who takes it."""
    await scheduler.define_job(ACME, "report", policy)
    await scheduler.create_schedule(ACME, "report", at(START), key="once")
    await scheduler.tick()


async def test_a_run_that_begins_in_time_is_not_told(
    scheduler: ManualScheduler, work: Work
) -> None:
    heard = listen(scheduler)
    await waiting(scheduler)
    await scheduler.advance(5 * MINUTE)
    scheduler.register_handler("report", work)
    await scheduler.tick()
    assert (len(work.calls), late(heard)) == (1, [])


async def test_a_run_that_nobody_takes_is_told_once_while_it_waits(
    scheduler: ManualScheduler, two: ManualScheduler, work: Work
) -> None:
    heard, also = listen(scheduler), listen(two)
    await waiting(scheduler)
    await scheduler.advance(5 * MINUTE)
    assert late(heard) == []
    for each in (scheduler, two, scheduler, two):
        scheduler.clock.advance(SECOND)
        await each.tick()
    told = heard.of("run.late") + also.of("run.late")
    assert [event.data["lateMs"] for event in told] == [301_000]
    assert told[0].data["waiting"] is True
    assert told[0].data["schedule"] == "once"


async def test_what_a_sweep_has_told_is_not_told_again_when_it_begins(
    scheduler: ManualScheduler, two: ManualScheduler, work: Work
) -> None:
    heard, also = listen(scheduler), listen(two)
    await waiting(scheduler)
    await scheduler.advance(HOUR)
    await two.advance(timedelta(0))
    two.register_handler("report", work)
    await two.tick()
    assert len(work.calls) == 1
    assert late(heard) + late(also) == [(3_600_000, True)]


async def test_a_run_that_begins_late_between_two_sweeps_is_told_then(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    heard = listen(scheduler)
    await waiting(scheduler)
    clock.advance(6 * MINUTE)
    scheduler.register_handler("report", work)
    await take(scheduler)
    await scheduler._runtime._work_off()
    assert late(heard) == [(360_000, False)]
    await scheduler.tick()
    assert late(heard) == [(360_000, False)]


async def test_a_run_claimed_before_the_sweep_and_begun_after_it_is_told(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    """What waits in a worker's hands for a slot is not seen by any sweep."""
    heard = listen(scheduler)
    await waiting(scheduler)
    scheduler.register_handler("report", work)
    [run] = await scheduler._store.queue.claim(await take(scheduler), await clock.now())
    run.claimed_at = await clock.now()
    clock.advance(HOUR)
    await scheduler._runtime.sla.tick()
    run.started_at = await clock.now()
    scheduler._runtime.sla.begun(run)
    assert late(heard) == [(3_600_000, False)]


async def take(scheduler: ManualScheduler) -> Offer:
    """Be a worker that is alive and serves everything it has; what it can take."""
    runtime = scheduler._runtime
    runtime.serve()
    await runtime.heart.beat(scheduler._store.workers, scheduler.clock)
    offer = scheduler._runtime.runner.offer()
    assert offer is not None
    return offer


async def test_runs_in_line_are_told_while_they_wait(
    scheduler: ManualScheduler, work: Work
) -> None:
    heard = listen(scheduler)
    scheduler.register_handler("report", work)
    await scheduler.define_job(ACME, "report", PUNCTUAL)
    await scheduler.create_schedule(
        ACME, "report", every("1h"), key="hourly", overlap="queue", overlap_limit=5
    )
    await scheduler.trigger_schedule(ACME, "hourly")
    async with under_way(scheduler, work):
        await scheduler.trigger_schedule(ACME, "hourly")
        scheduler.clock.advance(6 * MINUTE)
        await scheduler._runtime.sla.tick()
        assert late(heard) == [(360_000, True)]
    await scheduler.tick()
    assert (len(work.calls), late(heard)) == (2, [(360_000, True)])


async def test_only_the_first_attempt_can_be_late(scheduler: ManualScheduler) -> None:
    heard = listen(scheduler)
    scheduler.register_handler("report", _boom)
    await waiting(scheduler)
    await scheduler.advance(HOUR)
    assert late(heard) == []


def _boom(tenant_id: str, payload: object) -> None:
    raise ValueError("boom")


async def test_a_snoozed_run_is_due_when_it_wanted_to_be(scheduler: ManualScheduler) -> None:
    heard = listen(scheduler)
    scheduler.register_handler("report", lambda *_: Snooze(HOUR))
    await waiting(scheduler)
    await scheduler.advance(3 * HOUR)
    assert late(heard) == []


async def test_what_was_made_late_is_told_when_it_begins(database_url: str, work: Work) -> None:
    """No sweep has seen it wait: it was made after the one that passed its time."""
    clock = FakeClock(datetime(2020, 1, 1, tzinfo=UTC))
    async with ManualScheduler(database_url, clock=clock) as scheduler:
        heard = listen(scheduler)
        scheduler.register_handler("report", work)
        await scheduler.define_job(ACME, "report", PUNCTUAL)
        await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
        clock.advance(HOUR + 10 * MINUTE)
        await scheduler._runtime.sla.tick()
        await scheduler.tick()
        assert late(heard) == [(600_000, False)]


async def test_an_attempt_that_takes_too_long_is_told_while_it_runs(
    quick: ManualScheduler, work: Work, heard: Heard
) -> None:
    quick.register_handler("report", work)
    await quick.define_job(ACME, "report", Policy(sla_duration=timedelta(milliseconds=5)))
    await quick.create_schedule(ACME, "report", at(START), key="once")
    async with under_way(quick, work):
        await heard.until("run.slow")
        assert heard.of("run.succeeded") == []
    [event] = heard.of("run.slow")
    assert (event.data["schedule"], event.data["attempt"], event.data["slaMs"]) == ("once", 1, 5)


async def test_an_attempt_that_ends_in_time_is_not_told(
    quick: ManualScheduler, work: Work, heard: Heard
) -> None:
    quick.register_handler("report", work)
    await quick.define_job(ACME, "report", Policy(sla_duration=HOUR))
    await quick.create_schedule(ACME, "report", at(START), key="once")
    async with under_way(quick, work):
        [held] = quick._runtime.runner._running.values()
    assert held.slow is not None
    assert held.slow.cancelled()
    assert heard.of("run.slow") == []
