"""The manual scheduler: time and duties are method calls, and everything else is real."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tickwright import Backoff, Policy, RunContext, Scheduler, at, every, tenant
from tickwright.model.run import RunStatus
from tickwright.model.schedule import ScheduleStatus
from tickwright.service.scheduler import RunQuery
from tickwright.testing import FakeClock, ManualScheduler

ACME = tenant("acme")
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
STEADY = Policy(backoff=Backoff(jitter=False))


class Work:
    """Notes when it was called, by the scheduler's clock, and for which instant."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.seen: list[tuple[datetime, datetime, int]] = []
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def __call__(self, tenant_id: str, payload: Any, ctx: RunContext) -> None:
        self.seen.append((await self.clock.now(), ctx.nominal_at, ctx.attempt))
        self.begun.set()
        await self.go.wait()


async def statuses(scheduler: Scheduler) -> list[RunStatus]:
    page = await scheduler.find_runs(ACME, RunQuery(limit=1000))
    return [run.status for run in page.items]


async def test_nothing_happens_until_it_is_told_to_and_time_begins_on_a_monday() -> None:
    async with ManualScheduler() as scheduler:
        work = Work(scheduler.clock)
        scheduler.register_handler("report", work)
        assert await scheduler.clock.now() == START
        await scheduler.create_schedule(ACME, "report", every("1m"))
        scheduler.clock.advance(HOUR)
        assert work.seen == []
        await scheduler.tick()
        assert len(work.seen) == 1


async def test_advancing_stops_at_every_instant_at_which_something_is_due() -> None:
    async with ManualScheduler() as scheduler:
        work = Work(scheduler.clock)
        scheduler.register_handler("report", work)
        await scheduler.create_schedule(ACME, "report", every("20m"), key="a")
        await scheduler.create_schedule(ACME, "report", every("30m"), key="b")
        await scheduler.advance(HOUR)
        moments = [START + n * MINUTE for n in (20, 30, 40, 60, 60)]
        assert work.seen == [(moment, moment, 1) for moment in moments]
        assert await scheduler.clock.now() == START + HOUR


async def test_advancing_visits_the_retries_too() -> None:
    async with ManualScheduler() as scheduler:
        called: list[datetime] = []

        async def fail(tenant_id: str, payload: Any) -> None:
            called.append(await scheduler.clock.now())
            raise ValueError

        scheduler.register_handler("report", fail)
        await scheduler.define_job(ACME, "report", STEADY)
        await scheduler.create_schedule(ACME, "report", at(START + MINUTE))
        await scheduler.advance(HOUR)
        assert called == [START + MINUTE + n * SECOND for n in (0, 10, 30)]


async def test_a_schedule_that_a_handler_creates_is_visited_in_the_same_advance() -> None:
    async with ManualScheduler() as scheduler:
        work = Work(scheduler.clock)

        async def plan(tenant_id: str, payload: Any) -> None:
            await scheduler.create_schedule(ACME, "report", at(START + 10 * MINUTE))

        scheduler.register_handler("plan", plan)
        scheduler.register_handler("report", work)
        await scheduler.create_schedule(ACME, "plan", at(START + MINUTE))
        await scheduler.advance(HOUR)
        assert [moment for moment, _, _ in work.seen] == [START + 10 * MINUTE]


async def test_one_tick_does_all_that_is_due_however_few_the_slots_are() -> None:
    async with ManualScheduler(slots=2) as scheduler:
        work = Work(scheduler.clock)
        scheduler.register_handler("report", work)
        for number in range(9):
            await scheduler.create_schedule(ACME, "report", at(START + MINUTE), key=f"k{number}")
        scheduler.clock.advance(MINUTE)
        await scheduler.tick()
        assert await statuses(scheduler) == [RunStatus.SUCCEEDED] * 9


async def test_a_handler_registered_late_is_served_from_the_next_tick_on() -> None:
    async with ManualScheduler() as scheduler:
        work = Work(scheduler.clock)
        await scheduler.create_schedule(ACME, "report", at(START + MINUTE))
        await scheduler.advance(HOUR)
        assert await statuses(scheduler) == [RunStatus.QUEUED]
        scheduler.register_handler("report", work)
        await scheduler.tick()
        assert await statuses(scheduler) == [RunStatus.SUCCEEDED]


async def test_a_crashed_worker_leaves_its_run_and_another_takes_over_after_the_lease() -> None:
    async with ManualScheduler(lease_seconds=45) as scheduler:
        work = Work(scheduler.clock)
        work.go.clear()
        scheduler.register_handler("report", work)
        await scheduler.create_schedule(ACME, "report", at(START + MINUTE), key="once")
        scheduler.clock.advance(MINUTE)
        ticking = asyncio.create_task(scheduler.tick())
        await work.begun.wait()
        before = {worker.id for worker in await scheduler.workers()}
        await scheduler.crash_worker()
        await ticking
        assert await statuses(scheduler) == [RunStatus.RUNNING]
        assert len({worker.id for worker in await scheduler.workers()} - before) == 1
        work.go.set()
        await scheduler.advance(44 * SECOND)
        assert await statuses(scheduler) == [RunStatus.RUNNING]
        await scheduler.advance(2 * SECOND)
        assert await statuses(scheduler) == [RunStatus.SUCCEEDED]
        assert [attempt for _, _, attempt in work.seen] == [1, 2]
        schedule = await scheduler.get_schedule(ACME, "once")
        assert schedule.status is ScheduleStatus.COMPLETED


async def test_a_run_that_executes_can_be_cancelled_by_the_next_tick() -> None:
    async with ManualScheduler() as scheduler:
        work = Work(scheduler.clock)
        work.go.clear()
        scheduler.register_handler("report", work)
        await scheduler.create_schedule(ACME, "report", at(START + MINUTE), key="once")
        scheduler.clock.advance(MINUTE)
        ticking = asyncio.create_task(scheduler.tick())
        await work.begun.wait()
        [run] = (await scheduler.find_runs(ACME)).items
        await scheduler.cancel_run(ACME, run.id)
        await asyncio.gather(scheduler.tick(), ticking)
        assert await statuses(scheduler) == [RunStatus.CANCELLED]


async def test_two_schedulers_on_one_clock_take_turns_however_far_time_jumps(
    sqlite_url: str,
) -> None:
    clock = FakeClock(START)
    async with (
        ManualScheduler(sqlite_url, clock=clock) as one,
        ManualScheduler(sqlite_url, clock=clock) as two,
    ):
        works = [Work(clock), Work(clock)]
        one.register_handler("report", works[0])
        two.register_handler("report", works[1])
        await one.create_schedule(ACME, "report", every("1h"))
        for hour in range(1, 7):
            clock.move_to(START + hour * HOUR)
            await (one if hour % 2 else two).tick()
            await (two if hour % 2 else one).tick()
        assert [len(work.seen) for work in works] == [3, 3]


async def test_it_can_be_stopped_and_started_again(sqlite_url: str) -> None:
    scheduler = ManualScheduler(sqlite_url)
    work = Work(scheduler.clock)
    scheduler.register_handler("report", work)
    async with scheduler:
        await scheduler.create_schedule(ACME, "report", every("1h"))
    async with scheduler:
        await scheduler.advance(HOUR)
    assert len(work.seen) == 1


async def test_its_database_is_in_memory_and_its_own_unless_told_otherwise() -> None:
    async with ManualScheduler() as one, ManualScheduler() as two:
        await one.create_schedule(ACME, "report", every("1h"))
        assert (await one.find_schedules(ACME)).total == 1
        assert (await two.find_schedules(ACME)).total == 0


@pytest.mark.parametrize("by", [timedelta(0), -HOUR])
async def test_time_need_not_move_forward(by: timedelta) -> None:
    async with ManualScheduler() as scheduler:
        await scheduler.create_schedule(ACME, "report", every("1h"))
        await scheduler.advance(by)
        assert await scheduler.clock.now() == START + by
