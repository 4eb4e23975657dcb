"""`on_ambiguous: fail`: what may have been done is never tried again, whatever went wrong."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tickwright import Ambiguity, Policy, Scheduler, at
from tickwright.model.run import RunStatus
from tickwright.testing import FakeClock, ManualScheduler

from .support import ACME, DAY, LEASE, START, Work, failing, the_run, under_way, within

ONCE = Policy(on_ambiguous=Ambiguity.FAIL)


async def test_a_run_whose_worker_was_lost_is_failed_and_not_tried_again(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.define_job(ACME, "report", ONCE)
    await scheduler.create_schedule(ACME, "report", at(START), key="once")
    async with under_way(scheduler, work):
        await scheduler.crash_worker()
    await scheduler.advance(LEASE)
    run = await the_run(scheduler, "once")
    assert (run.status, run.attempt, run.lost_count) == (RunStatus.FAILED, 1, 1)
    assert run.error == "the worker was lost while it held this run"
    await scheduler.advance(DAY)
    assert work.attempts == [1]


async def test_that_it_begins_is_written_down_before_it_does(database_url: str) -> None:
    seen: list[object] = []
    async with Scheduler(database_url) as scheduler:
        begun = asyncio.Event()

        async def work(tenant_id: str, payload: object) -> None:
            run = (await scheduler.find_runs(ACME)).items[0]
            seen.append((run.status, run.started_at is not None))
            begun.set()

        scheduler.register_handler("report", work)
        await scheduler.define_job(ACME, "report", ONCE)
        await scheduler.create_schedule(
            ACME, "report", at(await scheduler._time.now()), key="once", past="run_now"
        )
        await within(begun.wait())
    assert seen == [(RunStatus.RUNNING, True)]


async def test_an_attempt_that_timed_out_is_not_tried_again(quick: ManualScheduler) -> None:
    work = Work()
    quick.register_handler("report", work)
    policy = Policy(on_ambiguous=Ambiguity.FAIL, timeout=timedelta(milliseconds=50))
    await quick.define_job(ACME, "report", policy)
    work.hold()
    await quick.create_schedule(ACME, "report", at(START), key="once")
    await within(quick.tick())
    run = await the_run(quick, "once")
    assert (run.status, run.error) == (RunStatus.FAILED, "timed out after 0.05 s")


async def test_what_failed_and_said_so_is_tried_again(scheduler: ManualScheduler) -> None:
    work = failing()
    scheduler.register_handler("report", work)
    await scheduler.define_job(ACME, "report", ONCE)
    await scheduler.create_schedule(ACME, "report", at(START), key="once")
    await scheduler.advance(DAY)
    assert work.attempts == [1, 2, 3]


async def test_what_does_not_end_in_the_grace_time_counts_as_lost(
    sqlite_url: str, work: Work
) -> None:
    work.hold()
    async with Scheduler(sqlite_url, grace_seconds=0) as scheduler:
        scheduler.register_handler("report", work)
        await scheduler.define_job(ACME, "report", ONCE)
        now = await scheduler._time.now()
        await scheduler.create_schedule(ACME, "report", at(now), key="once", past="run_now")
        await within(work.begun.wait())
    async with ManualScheduler(sqlite_url, clock=FakeClock(START)) as reader:
        run = await the_run(reader, "once")
        assert (run.status, run.attempt, run.lost_count) == (RunStatus.FAILED, 1, 1)
