"""What happens at start: seed 002's plan, as its tests ask for it, and life after a restart."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from tickwright import Scheduler, at, every
from tickwright.model.errors import NotPossible
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
    Work,
    runs_of,
    the_run,
    within,
)


async def left_behind(url: str, clock: FakeClock, **keys: timedelta) -> None:
    """Single times that a scheduler of earlier planned and did not live to see."""
    async with ManualScheduler(url, clock=clock) as earlier:
        for key, after in keys.items():
            await earlier.create_schedule(ACME, "campaign", at(START + after), key=key)


async def test_overdue_single_times_run_at_once_and_future_ones_stay_armed(
    database_url: str, clock: FakeClock, work: Work
) -> None:
    await left_behind(database_url, clock, past=HOUR, long_past=2 * HOUR, future=3 * DAY)
    clock.advance(2 * DAY)
    async with ManualScheduler(database_url, clock=clock) as scheduler:
        scheduler.register_handler("campaign", work)
        await scheduler.tick()
        assert sorted(work.times) == [START + HOUR, START + 2 * HOUR]
        assert await scheduler.armed(ACME) == {"future": START + 3 * DAY}
        await scheduler.advance(DAY)
        assert work.times[2:] == [START + 3 * DAY]
        assert await scheduler.armed(ACME) == {}
        page = await scheduler.find_schedules(ACME)
        assert {s.status for s in page.items} == {ScheduleStatus.COMPLETED}


async def test_a_single_time_created_after_the_start_runs_at_its_time(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("campaign", work)
    await scheduler.advance(HOUR)
    await scheduler.create_schedule(ACME, "campaign", at(START + 2 * HOUR), key="new")
    assert await scheduler.armed(ACME) == {"new": START + 2 * HOUR}
    await scheduler.advance(HOUR)
    assert work.times == [START + 2 * HOUR]
    assert (await the_run(scheduler, "new")).status is RunStatus.SUCCEEDED
    assert await scheduler.armed(ACME) == {}


async def test_a_deleted_single_time_does_not_run(scheduler: ManualScheduler, work: Work) -> None:
    scheduler.register_handler("campaign", work)
    await scheduler.create_schedule(ACME, "campaign", at(START + HOUR), key="deleted")
    await scheduler.delete_schedule(ACME, "deleted")
    assert await scheduler.armed(ACME) == {}
    await scheduler.advance(DAY)
    assert work.calls == []


async def test_scheduling_again_replaces_the_earlier_time(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("campaign", work)
    await scheduler.register(ACME, "c1", "campaign", at(START + HOUR))
    await scheduler.register(ACME, "c1", "campaign", at(START + 2 * HOUR))
    assert await scheduler.armed(ACME) == {"c1": START + 2 * HOUR}
    await scheduler.advance(DAY)
    assert work.times == [START + 2 * HOUR]


async def test_cancelling_disarms_and_an_unknown_key_only_warns(
    scheduler: ManualScheduler, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler.register_handler("campaign", work)
    await scheduler.create_schedule(ACME, "campaign", at(START + HOUR), key="c1")
    cancelled = await scheduler.cancel_schedule(ACME, "c1")
    assert cancelled is not None
    assert cancelled.status is ScheduleStatus.CANCELLED
    assert await scheduler.armed(ACME) == {}
    with caplog.at_level(logging.WARNING, "tickwright.scheduler"):
        assert await scheduler.cancel_schedule(ACME, "unknown") is None
        assert await scheduler.cancel_schedule(OTHER, "c1") is None
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    await scheduler.advance(DAY)
    assert work.calls == []


async def test_what_is_armed_is_told_for_one_scope_only(quick: ManualScheduler) -> None:
    await quick.create_schedule(ACME, "campaign", at(START + HOUR), key="c1")
    await quick.create_schedule(OTHER, "campaign", at(START + DAY), key="c1")
    assert await quick.armed(ACME) == {"c1": START + HOUR}


async def test_a_missed_run_that_fails_is_tried_again_like_any_other(
    quick: ManualScheduler, clock: FakeClock
) -> None:
    quick.register_handler("campaign", lambda tenant_id, payload: 1 / 0)
    await quick.create_schedule(ACME, "campaign", at(START + HOUR), key="c1")
    clock.advance(DAY)
    await quick.tick()
    run = await the_run(quick, "c1")
    assert (run.status, run.attempt) == (RunStatus.QUEUED, 2)


async def test_deploys_more_frequent_than_a_schedule_do_not_starve_it(
    sqlite_url: str, clock: FakeClock, work: Work
) -> None:
    for _ in range(8):
        async with ManualScheduler(sqlite_url, clock=clock) as deployed:
            deployed.register_handler("report", work)
            await deployed.register(ACME, "weekly", "report", every("7d"))
            await deployed.advance(DAY)
    assert work.times == [START + 7 * DAY]


async def test_a_run_left_by_a_killed_process_is_finished_by_the_next(
    database_url: str, clock: FakeClock, work: Work
) -> None:
    async with ManualScheduler(database_url, clock=clock) as killed:
        killed.register_handler("report", work)
        await killed.create_schedule(ACME, "report", at(START), key="once")
        work.hold()
        ticking = asyncio.create_task(killed.tick())
        await within(work.begun.wait())
        await killed.crash_worker()
        await ticking
        work.let_go()
    clock.advance(MINUTE)
    async with ManualScheduler(database_url, clock=clock) as following:
        following.register_handler("report", work)
        await following.tick()
        assert (await the_run(following, "once")).status is RunStatus.SUCCEEDED
    assert work.attempts == [1, 2]


# Real engines


async def test_a_real_engine_runs_what_is_overdue_as_soon_as_it_starts(sqlite_url: str) -> None:
    now = await Scheduler(sqlite_url)._time.now()
    work = Work()
    async with Scheduler(sqlite_url) as earlier:
        await earlier.create_schedule(
            ACME, "campaign", at(now - DAY), key="past", past="run_now", enabled=True
        )
    async with Scheduler(sqlite_url) as scheduler:
        scheduler.register_handler("campaign", work)
        await within(work.begun.wait())
        run = await the_run(scheduler, "past")
        ended = await scheduler.wait_for_run(ACME, run.id, MINUTE)
        assert ended.status is RunStatus.SUCCEEDED


async def test_a_real_engine_fires_at_the_instant_itself(sqlite_url: str) -> None:
    work = Work()
    async with Scheduler(sqlite_url) as scheduler:
        scheduler.register_handler("report", work)
        moment = await scheduler._time.now() + timedelta(milliseconds=300)
        await scheduler.create_schedule(ACME, "report", at(moment), key="soon")
        await within(work.begun.wait())
        run = await scheduler.wait_for_run(ACME, work.calls[0].run_id, MINUTE)
        assert run.started_at is not None
        assert moment <= run.started_at < moment + 10 * SECOND


@pytest.mark.parametrize("times", [2, 3])
async def test_a_scheduler_can_be_started_again_after_it_was_stopped(
    sqlite_url: str, times: int
) -> None:
    work = Work()
    scheduler = Scheduler(sqlite_url)
    scheduler.register_handler("report", work)
    for number in range(times):
        async with scheduler:
            await scheduler.create_schedule(ACME, "report", every("1h"), key=f"k{number}")
            run = await scheduler.trigger_schedule(ACME, f"k{number}")
            ended = await scheduler.wait_for_run(ACME, run.id, MINUTE)
            assert ended.status is RunStatus.SUCCEEDED
            assert (await scheduler.status()).ready
    assert len(work.calls) == times


def test_a_scheduler_can_be_started_again_in_another_event_loop(sqlite_url: str) -> None:
    scheduler = Scheduler(sqlite_url)

    async def live(key: str) -> RunStatus:
        async with scheduler:
            await scheduler.create_schedule(ACME, "report", every("1h"), key=key)
            run = await scheduler.trigger_schedule(ACME, key)
            return (await scheduler.wait_for_run(ACME, run.id, MINUTE)).status

    scheduler.register_handler("report", lambda tenant_id, payload: None)
    assert [asyncio.run(live(key)) for key in ("a", "b")] == [RunStatus.SUCCEEDED] * 2


async def test_a_start_that_fails_leaves_nothing_open(sqlite_url: str) -> None:
    scheduler = Scheduler(sqlite_url)
    targets = scheduler._runtime.parts.targets
    opened: list[str] = []

    class Recording:
        """A target that tells whether it is open."""

        type = "recording"

        def check(self, target: object) -> dict[str, object]:
            return {}

        async def open(self) -> None:
            opened.append("recording")

        async def close(self) -> None:
            opened.remove("recording")

        async def deliver(self, run: object) -> None: ...

    class Failing(Recording):
        type = "failing"

        async def open(self) -> None:
            raise OSError("no such device")

        async def close(self) -> None: ...

    assert isinstance(targets, dict)
    targets["recording"] = Recording()
    targets["failing"] = Failing()
    with pytest.raises(OSError, match="no such device"):
        await scheduler.start()
    assert opened == []
    assert scheduler._runtime.running is False
    await scheduler.stop()


async def test_a_database_that_is_not_migrated_is_told_and_not_touched(
    bare_database_url: str,
) -> None:
    scheduler = Scheduler(bare_database_url, auto_migrate=False)
    with pytest.raises(NotPossible, match="tickwright db upgrade"):
        async with scheduler:
            pass
    status = await scheduler.status()
    await scheduler.stop()
    assert (status.ready, status.database) == (False, "schema")


async def test_stopping_finishes_what_runs_and_hands_back_the_rest(
    sqlite_url: str, work: Work
) -> None:
    work.hold()
    async with Scheduler(sqlite_url, slots=1, grace_seconds=30) as scheduler:
        scheduler.register_handler("report", work)
        for key in ("a", "b", "c"):
            await scheduler.create_schedule(ACME, "report", every("1h"), key=key)
            await scheduler.trigger_schedule(ACME, key)
        await within(work.begun.wait())
        stopping = asyncio.create_task(scheduler._runtime.stop())
        await asyncio.sleep(0)
        work.let_go()
        await within(stopping)
        runs = await runs_of(scheduler)
    statuses = sorted(run.status for run in runs)
    assert statuses == [RunStatus.QUEUED, RunStatus.QUEUED, RunStatus.SUCCEEDED]
    assert all(run.attempt == 1 for run in runs)


async def test_what_does_not_end_in_the_grace_time_is_handed_back_without_costing_an_attempt(
    sqlite_url: str, work: Work
) -> None:
    work.hold()
    async with Scheduler(sqlite_url, grace_seconds=0) as scheduler:
        scheduler.register_handler("report", work)
        await scheduler.create_schedule(ACME, "report", every("1h"), key="a")
        await scheduler.trigger_schedule(ACME, "a")
        await within(work.begun.wait())
    assert work.cancelled.is_set()
    async with ManualScheduler(sqlite_url) as later:
        run = await the_run(later, "a")
        assert (run.status, run.attempt, run.worker_id) == (RunStatus.QUEUED, 1, None)


async def test_waiting_for_a_run_gives_up_after_its_time(quick: ManualScheduler) -> None:
    await quick.create_schedule(ACME, "report", every("1h"), key="a")
    run = await quick.trigger_schedule(ACME, "a")
    waited = await quick.wait_for_run(ACME, run.id, timedelta(milliseconds=20))
    assert waited.status is RunStatus.QUEUED


async def test_waiting_for_a_run_sees_its_end_wherever_it_was_executed(
    sqlite_url: str, clock: FakeClock, work: Work
) -> None:
    async with (
        ManualScheduler(sqlite_url, clock=clock) as asking,
        ManualScheduler(sqlite_url, clock=clock) as working,
    ):
        working.register_handler("report", work)
        await asking.create_schedule(ACME, "report", every("1h"), key="a")
        run = await asking.trigger_schedule(ACME, "a")
        waiting = asyncio.create_task(asking.wait_for_run(ACME, run.id, MINUTE))
        await working.tick()
        assert (await within(waiting)).status is RunStatus.SUCCEEDED
