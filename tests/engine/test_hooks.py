"""Hooks around each attempt: before the work, which they can stop, and before its end is kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tickwright import Policy, at
from tickwright.engine.hooks import RunEnd
from tickwright.model.run import Claimed, Run, RunStatus
from tickwright.testing import ManualScheduler

from .support import ACME, LEASE, MINUTE, SECOND, START, Work, failing, the_run, under_way, within


async def once(scheduler: ManualScheduler) -> Run:
    await scheduler.create_schedule(ACME, "report", at(START), key="once")
    await within(scheduler.tick())
    return await the_run(scheduler, "once")


async def test_hooks_see_each_attempt_in_order_around_the_work(quick: ManualScheduler) -> None:
    order: list[str] = []

    @quick.on_run_start
    def first(run: Claimed) -> None:
        order.append(f"start {run.schedule_key} {run.attempt}")

    @quick.on_run_start
    async def second(run: Claimed) -> None:
        order.append("start too")

    @quick.on_run_end
    async def last(end: RunEnd) -> None:
        order.append(f"end {end.status} {end.will_retry} {end.result}")

    def work(tenant_id: str, payload: Any) -> str:
        order.append("work")
        return "done"

    quick.register_handler("report", work)
    await once(quick)
    assert order == ["start once 1", "start too", "work", "end succeeded False done"]


async def test_an_end_hook_learns_of_each_failure_and_whether_it_was_the_last(
    quick: ManualScheduler,
) -> None:
    ends: list[RunEnd] = []
    quick.on_run_end(ends.append)
    quick.register_handler("report", failing())
    await once(quick)
    await quick.advance(MINUTE)
    assert [(end.run.attempt, end.status, end.will_retry) for end in ends] == [
        (1, RunStatus.QUEUED, True),
        (2, RunStatus.QUEUED, True),
        (3, RunStatus.DEAD, False),
    ]
    assert all(end.error and end.error.startswith("ValueError: boom") for end in ends)


async def test_the_end_is_saved_only_after_the_end_hooks_have_seen_it(
    quick: ManualScheduler, work: Work
) -> None:
    stored: list[RunStatus] = []

    @quick.on_run_end
    async def look(end: RunEnd) -> None:
        stored.append((await quick.get_run(ACME, end.run.id)).status)

    quick.register_handler("report", work)
    await once(quick)
    assert stored == [RunStatus.RUNNING]


class OwnStop(BaseException):
    """Not an Exception, as some frameworks' signals are not."""


WRONGS = [ValueError("not today"), OwnStop("not today"), asyncio.CancelledError("not today")]


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: type(wrong).__name__)
async def test_a_start_hook_that_raises_fails_the_attempt_before_any_work(
    quick: ManualScheduler, work: Work, wrong: BaseException
) -> None:
    @quick.on_run_start
    async def refuse(run: Claimed) -> None:
        raise wrong

    quick.register_handler("report", work)
    run = await once(quick)
    assert (run.status, run.attempt, work.calls) == (RunStatus.QUEUED, 2, [])
    assert run.error is not None
    assert run.error.startswith(f"{type(wrong).__name__}: not today")


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: type(wrong).__name__)
async def test_an_end_hook_that_raises_harms_neither_the_run_nor_the_other_hooks(
    quick: ManualScheduler, work: Work, wrong: BaseException
) -> None:
    seen: list[RunEnd] = []

    @quick.on_run_end
    async def fail(end: RunEnd) -> None:
        raise wrong

    quick.on_run_end(seen.append)
    quick.register_handler("report", work)
    assert (await once(quick)).status is RunStatus.SUCCEEDED
    assert len(seen) == 1


async def test_an_end_hook_that_raises_after_work_that_was_cancelled_is_no_cancellation(
    quick: ManualScheduler,
) -> None:
    async def suicidal(tenant_id: str, payload: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    @quick.on_run_end
    async def fail(end: RunEnd) -> None:
        raise asyncio.CancelledError

    quick.register_handler("report", suicidal)
    run = await once(quick)
    assert (run.status, run.error) == (RunStatus.QUEUED, "the handler cancelled itself")


async def test_a_start_hook_that_hangs_is_timed_out_with_the_attempt(
    quick: ManualScheduler, work: Work
) -> None:
    @quick.on_run_start
    async def hang(run: Claimed) -> None:
        await asyncio.Event().wait()

    quick.register_handler("report", work)
    await quick.define_job(ACME, "report", Policy(timeout=timedelta(milliseconds=50)))
    run = await once(quick)
    assert (run.status, run.error) == (RunStatus.QUEUED, "timed out after 0.05 s")
    assert work.calls == []


async def test_an_end_hook_that_hangs_is_given_up_and_the_run_keeps_its_outcome(
    quick: ManualScheduler, work: Work
) -> None:
    @quick.on_run_end
    async def hang(end: RunEnd) -> None:
        await asyncio.Event().wait()

    quick.register_handler("report", work)
    await quick.define_job(ACME, "report", Policy(timeout=timedelta(milliseconds=50)))
    run = await once(quick)
    assert (run.status, run.attempt) == (RunStatus.SUCCEEDED, 1)


async def test_a_lost_run_that_is_given_up_tells_the_end_hooks_of_whoever_noticed(
    quick: ManualScheduler, work: Work
) -> None:
    ends: list[RunEnd] = []
    quick.on_run_end(ends.append)
    quick.register_handler("report", work)
    await quick.define_job(ACME, "report", Policy(max_attempts=1))
    await quick.create_schedule(ACME, "report", at(START), key="once")
    async with under_way(quick, work):
        await quick.crash_worker()
    assert ends == []
    await quick.advance(LEASE + SECOND)
    assert [(end.status, end.will_retry) for end in ends] == [(RunStatus.DEAD, False)]
    assert (await the_run(quick, "once")).status is RunStatus.DEAD


async def test_the_hooks_see_a_run_again_when_its_process_died_before_the_end_was_saved(
    quick: ManualScheduler, work: Work
) -> None:
    starts: list[int] = []
    quick.on_run_start(lambda run: starts.append(run.attempt))
    quick.register_handler("report", work)
    await quick.create_schedule(ACME, "report", at(START), key="once")
    async with under_way(quick, work):
        await quick.crash_worker()
    await quick.advance(LEASE + SECOND)
    assert starts == [1, 2]
