"""The planner's ticks: one batch each, and then a sleep until there is something to do."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from tickwright import at, every
from tickwright.testing import FakeClock, ManualScheduler

from .support import ACME, DAY, HOUR, SECOND, START, Work, failing, runs_of

POLL = 30 * SECOND


async def tick(scheduler: ManualScheduler) -> timedelta:
    return await scheduler._runtime.planner.tick()


def nearly(delay: timedelta, expected: timedelta) -> bool:
    """What passed while the database was asked is taken off."""
    return expected - SECOND < delay <= expected


async def test_it_sleeps_until_the_next_occurrence_but_no_longer_than_the_poll_interval(
    quick: ManualScheduler,
) -> None:
    assert await tick(quick) == POLL
    await quick.create_schedule(ACME, "report", at(START + HOUR), key="far")
    assert await tick(quick) == POLL
    await quick.create_schedule(ACME, "report", at(START + 10 * SECOND), key="near")
    assert nearly(await tick(quick), 10 * SECOND)


async def test_it_wakes_for_the_next_try_of_a_run_too(quick: ManualScheduler) -> None:
    quick.register_handler("report", failing())
    await quick.create_schedule(ACME, "report", at(START), key="once")
    await quick.tick()
    [run] = await runs_of(quick)
    assert nearly(await tick(quick), run.run_at - START)


async def test_a_long_backlog_is_gone_through_without_a_pause(
    quick: ManualScheduler, clock: FakeClock
) -> None:
    await quick.create_schedule(ACME, "report", every("1s"), key="often")
    clock.advance(DAY / 24)
    assert await tick(quick) <= timedelta(0)
    assert nearly(await tick(quick), SECOND)


async def test_in_a_herd_it_takes_batch_after_batch(
    scheduler: ManualScheduler, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwright.engine.planner.FIRST_BATCH", 2)
    monkeypatch.setattr("tickwright.engine.planner.BATCH", 3)
    scheduler.register_handler("report", work)
    for number in range(20):
        await scheduler.create_schedule(ACME, "report", at(START), key=f"k{number}")
    planner = scheduler._runtime.planner
    assert await tick(scheduler) == timedelta(0)
    assert planner.herd() is True
    await scheduler.tick()
    assert planner.herd() is False
    assert len(work.calls) == 20
    assert len({call.run_id for call in work.calls}) == 20


async def test_what_another_process_is_deciding_is_waited_for_without_a_spin(
    postgres_url: str, clock: FakeClock
) -> None:
    async with ManualScheduler(postgres_url, clock=clock) as scheduler:
        await scheduler.create_schedule(ACME, "report", at(START), key="once")
        engine = create_async_engine(make_url(postgres_url).set(drivername="postgresql+asyncpg"))
        try:
            async with engine.begin() as other:
                cursors = sa.text("SELECT 1 FROM tickwright.schedule_cursors FOR UPDATE")
                await other.execute(cursors)
                delay = await tick(scheduler)
                assert timedelta(milliseconds=20) < delay < timedelta(milliseconds=100)
                assert await runs_of(scheduler) == []
        finally:
            await engine.dispose()
        await tick(scheduler)
        assert len(await runs_of(scheduler)) == 1


async def test_two_lanes_at_once_never_decide_one_schedule_twice(
    postgres_url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwright.engine.planner.FIRST_BATCH", 2)
    monkeypatch.setattr("tickwright.engine.planner.BATCH", 4)
    async with (
        ManualScheduler(postgres_url, clock=clock) as one,
        ManualScheduler(postgres_url, clock=clock) as two,
    ):
        for number in range(40):
            await one.create_schedule(ACME, "report", at(START), key=f"k{number}")
        for _ in range(8):
            await asyncio.gather(tick(one), tick(two))
        runs = await runs_of(one)
        assert len(runs) == 40
        assert len({run.schedule_id for run in runs}) == 40
