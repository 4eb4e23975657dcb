"""What people change while a run is under way is still so when the run has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tickwright import at, cron, every
from tickwright.model.errors import NotPossible
from tickwright.model.run import RunStatus
from tickwright.model.schedule import ScheduleStatus
from tickwright.testing import FakeClock, ManualScheduler

from .support import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    START,
    Work,
    failing,
    outcomes,
    runs_of,
    the_run,
    under_way,
)


async def hourly(scheduler: ManualScheduler, work: Work, clock: FakeClock, **options: Any) -> None:
    """A schedule whose first run is due now."""
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly", **options)
    clock.advance(HOUR)


async def test_a_pause_survives_the_end_of_the_run(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    await hourly(scheduler, work, clock)
    async with under_way(scheduler, work):
        await scheduler.pause_schedule(ACME, "hourly", reason="noisy")
    schedule = await scheduler.get_schedule(ACME, "hourly")
    assert (schedule.status, schedule.status_reason) == (ScheduleStatus.PAUSED, "noisy")
    assert schedule.stats.success_count == 1
    await scheduler.advance(DAY)
    assert work.times == [START + HOUR]


async def test_a_cancellation_survives_the_end_of_the_run(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    await hourly(scheduler, work, clock)
    async with under_way(scheduler, work):
        await scheduler.cancel_schedule(ACME, "hourly")
    assert (await the_run(scheduler, "hourly")).status is RunStatus.SUCCEEDED
    await scheduler.advance(DAY)
    schedule = await scheduler.get_schedule(ACME, "hourly")
    assert (schedule.status, schedule.next_run_at) == (ScheduleStatus.CANCELLED, None)
    assert len(work.calls) == 1


async def test_a_new_rule_survives_the_end_of_the_run(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    await hourly(scheduler, work, clock)
    async with under_way(scheduler, work):
        await scheduler.update_schedule(ACME, "hourly", trigger=cron("30 * * * *"))
    schedule = await scheduler.get_schedule(ACME, "hourly")
    assert schedule.trigger["expression"] == "30 * * * *"
    assert schedule.next_run_at == START + HOUR + 30 * MINUTE
    await scheduler.advance(2 * HOUR)
    assert work.times == [START + HOUR, START + 1.5 * HOUR, START + 2.5 * HOUR]


async def test_a_deleted_schedule_stays_deleted_and_its_run_is_finished(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    await hourly(scheduler, work, clock)
    async with under_way(scheduler, work):
        await scheduler.delete_schedule(ACME, "hourly")
    assert (await scheduler.find_schedules(ACME)).total == 0
    [run] = await runs_of(scheduler)
    assert run.status is RunStatus.SUCCEEDED
    await scheduler.advance(DAY)
    assert len(work.calls) == 1


async def test_a_new_time_during_the_only_run_brings_another_run(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", at(START + HOUR), key="once")
    clock.advance(HOUR)
    async with under_way(scheduler, work):
        await scheduler.update_schedule(ACME, "once", trigger=at(START + DAY))
    schedule = await scheduler.get_schedule(ACME, "once")
    assert (schedule.status, schedule.next_run_at) == (ScheduleStatus.ACTIVE, START + DAY)
    await scheduler.advance(2 * DAY)
    assert work.times == [START + HOUR, START + DAY]
    assert (await scheduler.get_schedule(ACME, "once")).status is ScheduleStatus.COMPLETED


async def test_more_permitted_runs_during_the_last_one_bring_more_runs(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    await hourly(scheduler, work, clock, max_runs=1)
    async with under_way(scheduler, work):
        await scheduler.update_schedule(ACME, "hourly", max_runs=2)
    await scheduler.advance(DAY)
    assert work.times == [START + HOUR, START + 2 * HOUR]
    assert (await scheduler.get_schedule(ACME, "hourly")).status is ScheduleStatus.COMPLETED


async def test_a_new_payload_is_for_the_next_run_and_not_for_the_one_that_waits(
    scheduler: ManualScheduler, clock: FakeClock
) -> None:
    work = failing()
    await hourly(scheduler, work, clock, payload={"list": 1})
    await scheduler.tick()
    await scheduler.update_schedule(ACME, "hourly", payload={"list": 2})
    await scheduler.advance(HOUR + MINUTE)
    assert [payload["list"] for _, payload in work.payloads] == [1, 1, 1, 2, 2, 2]


async def test_pausing_with_a_run_queued_lets_it_run_and_nothing_new_fire(
    scheduler: ManualScheduler, work: Work
) -> None:
    await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    await scheduler.advance(HOUR)
    await scheduler.pause_schedule(ACME, "hourly")
    scheduler.register_handler("report", work)
    await scheduler.advance(DAY)
    assert work.times == [START + HOUR]


async def test_cancelling_or_deleting_cancels_what_is_queued(scheduler: ManualScheduler) -> None:
    for key in ("cancelled", "deleted"):
        await scheduler.create_schedule(ACME, "report", every("1h"), key=key)
    await scheduler.advance(HOUR)
    await scheduler.cancel_schedule(ACME, "cancelled")
    await scheduler.delete_schedule(ACME, "deleted")
    work = Work()
    scheduler.register_handler("report", work)
    await scheduler.advance(DAY)
    assert work.calls == []
    assert sorted(outcomes(await runs_of(scheduler))) == [
        (RunStatus.CANCELLED, "schedule cancel", 1),
        (RunStatus.CANCELLED, "schedule delete", 1),
    ]


async def test_resuming_never_fires_what_the_pause_left_out(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    await scheduler.advance(HOUR)
    await scheduler.pause_schedule(ACME, "hourly")
    await scheduler.advance(10.5 * HOUR)
    resumed = await scheduler.resume_schedule(ACME, "hourly")
    assert resumed.next_run_at == START + 12 * HOUR
    await scheduler.tick()
    await scheduler.advance(HOUR)
    assert work.times == [START + HOUR, START + 12 * HOUR]


@pytest.mark.parametrize(("stop", "reason"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_stopping_an_overdue_schedule_skips_what_it_owes(
    scheduler: ManualScheduler, work: Work, clock: FakeClock, stop: str, reason: str
) -> None:
    await hourly(scheduler, work, clock)
    clock.advance(2 * HOUR)
    await getattr(scheduler, f"{stop}_schedule")(ACME, "hourly")
    await scheduler.tick()
    if stop == "pause":
        await scheduler.resume_schedule(ACME, "hourly")
        await scheduler.tick()
    assert work.calls == []
    [row] = await runs_of(scheduler)
    assert (row.status, row.reason, row.count) == (RunStatus.SKIPPED, reason, 3)
    assert (row.nominal_at, row.through_at) == (START + HOUR, START + 3 * HOUR)


async def test_a_new_rule_for_an_overdue_schedule_fires_what_the_old_one_owed(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    await hourly(scheduler, work, clock)
    clock.advance(timedelta(seconds=1))
    await scheduler.update_schedule(ACME, "hourly", trigger=cron("30 * * * *"))
    [run] = await runs_of(scheduler)
    assert (run.status, run.nominal_at) == (RunStatus.QUEUED, START + HOUR)
    await scheduler.tick()
    await scheduler.advance(HOUR)
    assert work.times == [START + HOUR, START + 1.5 * HOUR]


async def test_a_single_run_owed_by_a_paused_schedule_is_not_made_up(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", at(START + HOUR), key="once")
    clock.advance(HOUR)
    await scheduler.pause_schedule(ACME, "once")
    await scheduler.tick()
    assert (await scheduler.get_schedule(ACME, "once")).status is ScheduleStatus.PAUSED
    with pytest.raises(NotPossible):
        await scheduler.resume_schedule(ACME, "once")
    assert work.calls == []


@pytest.mark.parametrize("end", ["cancel", "delete"])
async def test_a_run_that_fails_after_its_schedule_ended_gets_no_other_try(
    scheduler: ManualScheduler, clock: FakeClock, end: str
) -> None:
    work = failing()
    await hourly(scheduler, work, clock)
    async with under_way(scheduler, work):
        await getattr(scheduler, f"{end}_schedule")(ACME, "hourly")
    await scheduler.advance(DAY)
    assert len(work.calls) == 1
    assert outcomes(await runs_of(scheduler)) == [(RunStatus.CANCELLED, f"schedule {end}", 1)]
