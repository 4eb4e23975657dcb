"""Cancelling a run: at once while it is queued, by asking its worker while it executes."""

from __future__ import annotations

import asyncio

import pytest

from tickwright import NotFound, Scheduler, at, every
from tickwright.model.run import RunStatus
from tickwright.model.schedule import ScheduleStatus
from tickwright.testing import FakeClock, ManualScheduler

from .support import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    OTHER,
    SECOND,
    START,
    Heard,
    Work,
    failing,
    runs_of,
    the_run,
    under_way,
    within,
)


async def test_a_queued_run_never_starts(scheduler: ManualScheduler, work: Work) -> None:
    await scheduler.create_schedule(ACME, "report", at(START + HOUR), key="once")
    await scheduler.advance(HOUR)
    run = await the_run(scheduler, "once")
    cancelled = await scheduler.cancel_run(ACME, run.id)
    assert (cancelled.status, cancelled.reason) == (RunStatus.CANCELLED, "cancelled")
    assert cancelled.finished_at == START + HOUR
    scheduler.register_handler("report", work)
    await scheduler.advance(DAY)
    assert work.calls == []


async def test_a_run_that_waits_for_its_next_try_is_not_tried_again(
    scheduler: ManualScheduler,
) -> None:
    work = failing()
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", at(START), key="once")
    await scheduler.tick()
    run = await the_run(scheduler, "once")
    assert (await scheduler.cancel_run(ACME, run.id)).status is RunStatus.CANCELLED
    await scheduler.advance(DAY)
    assert work.attempts == [1]


async def test_a_running_run_is_asked_to_stop_and_does(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", at(START), key="once")
    work.hold()
    ticking = asyncio.create_task(scheduler.tick())
    await within(work.begun.wait())
    run = await the_run(scheduler, "once")
    asked = await scheduler.cancel_run(ACME, run.id)
    assert (asked.status, asked.cancel_requested_at) == (RunStatus.RUNNING, START)
    await within(asyncio.gather(scheduler.tick(), ticking))
    assert work.cancelled.is_set()
    run = await the_run(scheduler, "once")
    assert (run.status, run.reason, run.attempt) == (RunStatus.CANCELLED, "cancelled", 1)
    await scheduler.advance(DAY)
    assert work.attempts == [1]


async def test_a_real_worker_is_told_of_the_cancellation_at_once(
    sqlite_url: str, work: Work
) -> None:
    work.hold()
    async with Scheduler(sqlite_url) as scheduler:
        scheduler.register_handler("report", work)
        await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
        run = await scheduler.trigger_schedule(ACME, "hourly")
        await within(work.begun.wait())
        await scheduler.cancel_run(ACME, run.id)
        ended = await scheduler.wait_for_run(ACME, run.id, 30 * SECOND)
        assert ended.status is RunStatus.CANCELLED
        assert work.cancelled.is_set()


async def test_a_run_that_fails_after_it_was_asked_to_stop_is_not_tried_again(
    scheduler: ManualScheduler,
) -> None:
    work = failing()
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", at(START), key="once")
    async with under_way(scheduler, work):
        await scheduler.cancel_run(ACME, (await the_run(scheduler, "once")).id)
    run = await the_run(scheduler, "once")
    assert (run.status, run.reason) == (RunStatus.CANCELLED, "cancelled")
    await scheduler.advance(DAY)
    assert work.attempts == [1]


async def test_a_run_that_succeeds_before_it_could_stop_stays_succeeded(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", at(START), key="once")
    async with under_way(scheduler, work):
        await scheduler.cancel_run(ACME, (await the_run(scheduler, "once")).id)
    assert (await the_run(scheduler, "once")).status is RunStatus.SUCCEEDED


async def test_an_ended_run_stays_as_it_ended(scheduler: ManualScheduler, work: Work) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", at(START), key="once")
    await scheduler.tick()
    run = await the_run(scheduler, "once")
    assert await scheduler.cancel_run(ACME, run.id) == run


async def test_a_schedule_whose_only_run_is_cancelled_is_completed(
    scheduler: ManualScheduler, clock: FakeClock
) -> None:
    await scheduler.create_schedule(ACME, "report", at(START), key="once")
    await scheduler.tick()
    await scheduler.cancel_run(ACME, (await the_run(scheduler, "once")).id)
    await scheduler.advance(MINUTE)
    assert (await scheduler.get_schedule(ACME, "once")).status is ScheduleStatus.COMPLETED


async def test_a_run_of_another_scope_is_not_found_and_goes_on(
    quick: ManualScheduler, work: Work
) -> None:
    await quick.create_schedule(ACME, "report", at(START), key="once")
    await quick.tick()
    run = await the_run(quick, "once")
    with pytest.raises(NotFound):
        await quick.cancel_run(OTHER, run.id)
    quick.register_handler("report", work)
    await quick.tick()
    assert (await the_run(quick, "once")).status is RunStatus.SUCCEEDED


async def test_a_cancelled_run_is_told_as_such(quick: ManualScheduler, heard: Heard) -> None:
    work = failing()
    quick.register_handler("report", work)
    await quick.create_schedule(ACME, "report", at(START), key="once")
    async with under_way(quick, work):
        [run] = await runs_of(quick)
        await quick.cancel_run(ACME, run.id)
    assert heard.names("run.") == ["run.started", "run.cancelled"]
