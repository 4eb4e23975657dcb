"""Ended runs go after a week; what they added up to stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tickwright import Policy, Scheduler, at, every
from tickwright.engine import pruner
from tickwright.model.run import Items, RunStatus
from tickwright.service.statistics import Statistics
from tickwright.testing import FakeClock, ManualScheduler

from .support import ACME, DAY, HOUR, MINUTE, START, Work, failing, runs_of


async def sums(scheduler: Scheduler, key: str, days: int = 365) -> Statistics:
    return await scheduler.statistics(ACME, key, days)


async def test_runs_are_kept_for_seven_days_and_statistics_for_longer(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", every("1d"), key="daily")
    await scheduler.advance(30 * DAY)
    kept = await runs_of(scheduler, "daily")
    assert [run.nominal_at for run in kept] == [START + n * DAY for n in range(23, 31)]
    statistics = await sums(scheduler, "daily")
    assert (statistics.total, statistics.succeeded, statistics.success_rate) == (30, 30, 1.0)
    assert (await sums(scheduler, "daily", 3)).total == 3
    assert (await scheduler.get_schedule(ACME, "daily")).stats.run_count == 30


async def test_how_long_runs_are_kept_can_be_set(sqlite_url: str, clock: FakeClock) -> None:
    work = Work()
    async with ManualScheduler(sqlite_url, clock=clock, retention_days=0.5) as scheduler:
        scheduler.register_handler("report", work)
        await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
        await scheduler.advance(2 * DAY)
        assert len(await runs_of(scheduler, "hourly")) == 13


async def test_how_many_runs_are_kept_can_be_set(sqlite_url: str, clock: FakeClock) -> None:
    work = Work()
    async with ManualScheduler(sqlite_url, clock=clock, retention_runs=3) as scheduler:
        scheduler.register_handler("report", work)
        await scheduler.define_job(ACME, "frugal", Policy(keep_last=1, keep_for=HOUR))
        await scheduler.create_schedule(ACME, "report", every("10m"), key="often")
        frugal = {"type": "handler", "name": "report"}
        await scheduler.create_schedule(ACME, "frugal", every("10m"), key="frugal", target=frugal)
        await scheduler.advance(DAY)
        kept = [run.nominal_at for run in await runs_of(scheduler, "often")]
        assert kept == [START + DAY - n * 10 * MINUTE for n in (2, 1, 0)]
        assert len(await runs_of(scheduler, "frugal")) == 1
        assert (await sums(scheduler, "often")).total == 144


async def test_a_round_through_everything_goes_on_in_small_steps(
    sqlite_url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruner, "BATCH", 2)
    async with ManualScheduler(sqlite_url, clock=clock, retention_runs=0) as scheduler:
        for _ in range(3):
            await scheduler.run_job(ACME, "nobody")
        ended = [(await scheduler.run_job(ACME, "gone")).id for _ in range(3)]
        for run_id in ended:
            await scheduler.cancel_run(ACME, run_id)
        clock.advance(30 * DAY)
        tick = scheduler._runtime.pruner.tick
        delays = [await tick() for _ in range(4)]
        assert delays == [pruner._STEP, pruner._PAUSE, pruner._PAUSE, pruner._EVERY]
        assert {run.job_key for run in await runs_of(scheduler)} == {"nobody"}
        assert await tick() == pruner._STEP


async def test_offline_workers_are_forgotten_after_a_day(sqlite_url: str, clock: FakeClock) -> None:
    async with ManualScheduler(sqlite_url, clock=clock) as scheduler:
        await scheduler.crash_worker()
        await scheduler.advance(HOUR)
        assert len(await scheduler.workers()) > 1
        await scheduler.advance(2 * DAY)
        await scheduler.advance(HOUR)
        clock.advance(DAY)
        await scheduler.tick()
        await scheduler._runtime.pruner.tick()
        gone = [w for w in await scheduler.workers() if w.lease_until < START + DAY]
        assert gone == []


async def test_a_run_that_is_still_open_is_kept_however_old_it_is(
    scheduler: ManualScheduler, work: Work
) -> None:
    await scheduler.create_schedule(ACME, "nobody", at(START + HOUR), key="waiting")
    await scheduler.advance(60 * DAY)
    [run] = await runs_of(scheduler, "waiting")
    assert run.status is RunStatus.QUEUED
    scheduler.register_handler("nobody", work)
    await scheduler.tick()
    assert work.times == [START + HOUR]


async def test_what_was_pruned_does_not_fire_again(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", every("1d"), key="daily")
    await scheduler.advance(10 * DAY)
    clock.move_to(START)
    await scheduler.advance(11 * DAY)
    assert work.times == [START + n * DAY for n in range(1, 12)]


async def test_what_failed_is_summed_with_its_attempts_gone(quick: ManualScheduler) -> None:
    quick.register_handler("report", failing())
    await quick.create_schedule(ACME, "report", at(START), key="once")
    await quick.advance(HOUR)
    [run] = await runs_of(quick, "once")
    assert len(await quick.attempts(ACME, run.id)) == 2
    newest = await quick.trigger_schedule(ACME, "once")
    await quick.tick()
    await quick.advance(HOUR)
    await quick.advance(30 * DAY)
    assert [kept.id for kept in await runs_of(quick, "once")] == [newest.id]
    assert await quick.attempts(ACME, run.id) == []
    statistics = await sums(quick, "once")
    assert (statistics.failed, statistics.succeeded, statistics.success_rate) == (2, 0, 0.0)


async def test_statistics_count_days_in_utc_and_today_is_one_of_them(
    quick: ManualScheduler, work: Work
) -> None:
    quick.register_handler("report", work)
    await quick.create_schedule(ACME, "report", every("12h"), key="half-daily")
    await quick.advance(3 * DAY)
    assert (await sums(quick, "half-daily", 1)).total == 1
    two_days = await sums(quick, "half-daily", 2)
    assert (two_days.total, two_days.since, two_days.until) == (
        3,
        (START + 2 * DAY).date(),
        (START + 3 * DAY).date(),
    )


async def test_only_one_of_several_processes_prunes(sqlite_url: str, clock: FakeClock) -> None:
    async with (
        ManualScheduler(sqlite_url, clock=clock) as one,
        ManualScheduler(sqlite_url, clock=clock) as two,
    ):
        await one.tick()
        await two.tick()
        leader = (await two.status()).leader
        assert leader == one._runtime.worker_id
        clock.advance(11 * MINUTE)
        await two.tick()
        assert (await one.status()).leader == two._runtime.worker_id


async def test_items_and_durations_are_summed(quick: ManualScheduler, clock: FakeClock) -> None:
    class Counting:
        """A target that reports how much it did and how long it took."""

        type = "counting"

        def check(self, target: Any) -> dict[str, Any]:
            return dict(target)

        async def open(self) -> None: ...

        async def close(self) -> None: ...

        async def deliver(self, run: Any) -> Any:
            from tickwright.model.run import Succeeded

            clock.advance(timedelta(seconds=30))
            await quick._time.now()
            return Succeeded(items=Items(5, 4, 1))

    targets = quick._runtime.parts.targets
    assert isinstance(targets, dict)
    targets["counting"] = Counting()
    await quick.create_schedule(
        ACME, "count", every("1h"), key="counting", target={"type": "counting"}
    )
    await quick.advance(3 * HOUR)
    statistics = await sums(quick, "counting")
    assert (statistics.items_processed, statistics.items_succeeded) == (15, 12)
    assert statistics.items_failed == 3
    assert statistics.average_duration == timedelta(seconds=30)
    stats = (await quick.get_schedule(ACME, "counting")).stats
    assert stats.last_duration == timedelta(seconds=30)
