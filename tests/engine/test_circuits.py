"""A schedule whose automatic runs fail too often in a row is paused, once, and says why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tickwright import Policy, Scheduler, every
from tickwright.model.errors import StoreUnavailable
from tickwright.model.run import RunStatus
from tickwright.model.schedule import Health, Schedule, ScheduleStatus
from tickwright.store import open_store
from tickwright.testing import FakeClock, ManualScheduler

from .support import ACME, HOUR, MINUTE, Work, failing, listen, runs_of

PAUSING = Policy(max_attempts=1, pause_after=3)


async def hourly(scheduler: ManualScheduler, policy: Policy = PAUSING) -> None:
    """A schedule whose runs fail from its first hour on."""
    scheduler.register_handler("report", failing())
    await scheduler.define_job(ACME, "report", policy)
    await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")


async def fail_once(scheduler: ManualScheduler) -> None:
    """A round in which nobody looks after circuits."""
    runtime = scheduler._runtime
    runtime.serve()
    await runtime.heart.beat(scheduler._store.workers, scheduler.clock)
    await runtime.planner.tick()
    while await runtime._work_off():
        pass


async def read(scheduler: ManualScheduler) -> Schedule:
    return await scheduler.get_schedule(ACME, "hourly")


async def test_so_many_failures_in_a_row_pause_a_schedule(scheduler: ManualScheduler) -> None:
    heard = listen(scheduler)
    await hourly(scheduler)
    await scheduler.advance(2 * HOUR + MINUTE)
    assert (await read(scheduler)).status is ScheduleStatus.ACTIVE
    await scheduler.advance(5 * HOUR)
    schedule = await read(scheduler)
    assert (schedule.status, schedule.status_reason) == (ScheduleStatus.PAUSED, "circuit")
    assert schedule.next_run_at is None
    assert await scheduler.health(schedule) == [Health.CIRCUIT_OPEN]
    assert len(await runs_of(scheduler, "hourly")) == 3
    [event] = heard.of("schedule.disabled")
    assert (event.data["schedule"], event.data["reason"]) == ("hourly", "circuit")


async def test_the_pause_is_audited_without_an_actor(scheduler: ManualScheduler) -> None:
    await hourly(scheduler)
    await scheduler.advance(4 * HOUR)
    change = (await scheduler.changes(ACME, ref="hourly")).items[0]
    assert (change.action, change.actor, change.reason) == ("pause", None, "circuit")
    assert change.before is not None
    assert change.after is not None
    assert (change.before["status"], change.after["status"]) == ("active", "paused")


async def test_resuming_begins_to_count_anew(scheduler: ManualScheduler) -> None:
    await hourly(scheduler)
    await scheduler.advance(4 * HOUR)
    resumed = await scheduler.resume_schedule(ACME, "hourly")
    assert (resumed.status_reason, resumed.stats.circuit_streak) == (None, 0)
    await scheduler.advance(2 * HOUR + MINUTE)
    assert (await read(scheduler)).status is ScheduleStatus.ACTIVE
    await scheduler.advance(HOUR)
    assert (await read(scheduler)).status is ScheduleStatus.PAUSED
    assert len(await runs_of(scheduler, "hourly")) == 6


async def test_a_success_begins_to_count_anew(scheduler: ManualScheduler, work: Work) -> None:
    await hourly(scheduler)
    await scheduler.advance(2 * HOUR)
    scheduler.register_handler("report", work)
    await scheduler.advance(HOUR)
    scheduler.register_handler("report", failing())
    await scheduler.advance(2 * HOUR)
    assert (await read(scheduler)).status is ScheduleStatus.ACTIVE
    await scheduler.advance(HOUR)
    assert (await read(scheduler)).status is ScheduleStatus.PAUSED


async def test_failures_of_starts_by_hand_do_not_count(scheduler: ManualScheduler) -> None:
    await hourly(scheduler)
    for _ in range(5):
        await scheduler.trigger_schedule(ACME, "hourly")
        await scheduler.tick()
    schedule = await read(scheduler)
    assert schedule.status is ScheduleStatus.ACTIVE
    assert (schedule.stats.failure_streak, schedule.stats.circuit_streak) == (5, 0)


async def test_attempts_that_are_tried_again_do_not_count(scheduler: ManualScheduler) -> None:
    await hourly(scheduler, Policy(max_attempts=3, pause_after=2))
    await scheduler.advance(HOUR + 30 * MINUTE)
    assert (await read(scheduler)).stats.circuit_streak == 1
    await scheduler.advance(HOUR)
    assert (await read(scheduler)).status is ScheduleStatus.PAUSED


async def test_without_a_policy_for_it_nothing_is_paused(scheduler: ManualScheduler) -> None:
    await hourly(scheduler, Policy(max_attempts=1))
    await scheduler.advance(20 * HOUR)
    assert (await read(scheduler)).status is ScheduleStatus.ACTIVE


async def test_registering_again_does_not_close_a_circuit(scheduler: ManualScheduler) -> None:
    scheduler.register_handler("report", failing())
    await scheduler.define_job(ACME, "report", PAUSING)
    await scheduler.register(ACME, "hourly", "report", every("1h"))
    await scheduler.advance(4 * HOUR)
    await scheduler.register(ACME, "hourly", "report", every("1h"))
    schedule = await read(scheduler)
    assert (schedule.status, schedule.status_reason) == (ScheduleStatus.PAUSED, "circuit")


async def test_what_a_process_could_not_pause_any_more_the_next_sweep_does(
    database_url: str, clock: FakeClock
) -> None:
    async with ManualScheduler(database_url, clock=clock) as dying:
        await hourly(dying)
        await dying.advance(2 * HOUR + MINUTE)
        runtime = dying._runtime
        runtime.breaker.tick = dies  # type: ignore[method-assign]
        clock.advance(HOUR)
        with pytest.raises(StoreUnavailable):
            await dying.tick()
        assert (await read(dying)).status is ScheduleStatus.ACTIVE
    async with ManualScheduler(database_url, clock=clock) as other:
        assert await other._store.schedules.tripped(10)
        await other.tick()
        schedule = await read(other)
        assert (schedule.status, schedule.status_reason) == (ScheduleStatus.PAUSED, "circuit")
        assert await other._store.schedules.tripped(10) == []


async def dies() -> timedelta:
    raise StoreUnavailable


async def test_a_schedule_that_somebody_stopped_first_stays_as_it_is(
    scheduler: ManualScheduler,
) -> None:
    await hourly(scheduler)
    await scheduler.advance(2 * HOUR + MINUTE)
    await scheduler.pause_schedule(ACME, "hourly", reason="holidays")
    await scheduler.tick()
    schedule = await read(scheduler)
    assert (schedule.status_reason, schedule.stats.circuit_streak) == ("holidays", 0)


async def test_occurrences_that_were_due_when_it_was_paused_are_accounted_for(
    scheduler: ManualScheduler, clock: FakeClock
) -> None:
    """The failure is written by one process while the other has not fired what is due."""
    await hourly(scheduler, Policy(max_attempts=1, pause_after=1))
    clock.advance(HOUR)
    await fail_once(scheduler)
    clock.advance(HOUR)
    await scheduler._runtime.breaker.tick()
    runs = await runs_of(scheduler, "hourly")
    assert [(run.status, run.reason) for run in runs] == [
        (RunStatus.DEAD, None),
        (RunStatus.SKIPPED, "paused"),
    ]


async def test_two_processes_pause_it_once(database_url: str, clock: FakeClock) -> None:
    async with ManualScheduler(database_url, clock=clock) as one:
        await hourly(one, Policy(max_attempts=1, pause_after=1))
        clock.advance(HOUR)
        await fail_once(one)
        second = open_store(database_url, clock=clock)
        tripped = await second.schedules.tripped(10)
        await second.close()
        assert len(tripped) == 1
        async with ManualScheduler(database_url, clock=clock) as two:
            await one._runtime.breaker.tick()
            [(scope, schedule_id)] = tripped
            await two._runtime.breaker._pause(scope, schedule_id, await clock.now())
            changes = await two.changes(ACME, ref="hourly")
        assert [change.action for change in changes.items] == ["pause", "create"]


async def test_a_running_process_does_not_wait_for_its_sweep(sqlite_url: str) -> None:
    scheduler = Scheduler(sqlite_url, sweep_seconds=3600)
    heard = listen(scheduler)
    scheduler.register_handler("report", failing())
    async with scheduler:
        await scheduler.define_job(ACME, "report", Policy(max_attempts=1, pause_after=1))
        await scheduler.create_schedule(ACME, "report", every("1s"), key="secondly")
        await heard.until("schedule.disabled")
        schedule = await scheduler.get_schedule(ACME, "secondly")
        assert schedule.status_reason == "circuit"
