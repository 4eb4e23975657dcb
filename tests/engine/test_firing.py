"""When schedules fire: at their instants, each once, never in the past, until they are spent."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tickwright import at, cron, every, tenant
from tickwright.model.run import RunStatus
from tickwright.model.schedule import ScheduleStatus
from tickwright.testing import FakeClock, ManualScheduler
from tickwright.triggers import Trigger

from .support import ACME, DAY, HOUR, MINUTE, SECOND, START, Work, outcomes, runs_of, the_run


async def test_a_due_schedule_runs_its_handler_with_tenant_and_payload(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    made = await scheduler.create_schedule(
        ACME, "report", cron("0 10 * * *"), key="daily", payload={"list": [1, {"x": None}]}
    )
    await scheduler.advance(HOUR - SECOND)
    assert work.calls == []
    await scheduler.advance(SECOND)
    assert work.payloads == [("acme", {"list": [1, {"x": None}]})]
    run = await the_run(scheduler, "daily")
    assert (run.status, run.attempt, run.schedule_id) == (RunStatus.SUCCEEDED, 1, made.id)
    assert (run.nominal_at, run.run_at) == (START + HOUR, START + HOUR)
    assert (run.started_at, run.finished_at) == (START + HOUR, START + HOUR)
    [call] = work.calls
    assert (call.run_id, call.schedule_key, call.job_key) == (run.id, "daily", "report")
    assert call.idempotency_key == f"s1:acme:{made.id}:2040-01-02T10:00:00Z"


async def test_two_engines_on_one_database_fire_each_occurrence_once(
    database_url: str, clock: FakeClock
) -> None:
    count, works = 50, [Work(), Work()]
    async with (
        ManualScheduler(database_url, clock=clock) as one,
        ManualScheduler(database_url, clock=clock) as two,
    ):
        for scheduler, work in zip((one, two), works, strict=True):
            scheduler.register_handler("report", work)
        for number in range(count):
            scope = tenant(f"t{number % 7}")
            await one.create_schedule(scope, "report", every("1m", anchor=START), key=f"k{number}")
        for _ in range(4):
            clock.advance(MINUTE)
            await asyncio.gather(one.tick(), two.tick())
            await asyncio.gather(one.tick(), two.tick())
        fired = Counter(call.idempotency_key for work in works for call in work.calls)
        assert len(fired) == 4 * count
        assert set(fired.values()) == {1}
        runs = [r for t in range(7) for r in await runs_of(one, scope=tenant(f"t{t}"))]
        assert len(runs) == 4 * count
        assert {run.status for run in runs} == {RunStatus.SUCCEEDED}


async def test_an_interval_never_drifts_over_a_thousand_runs(
    quick: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    quick.register_handler("report", work)
    await quick.create_schedule(ACME, "report", every("7s"), key="often", overlap="allow")
    for late in (60, 57, 59) * 42:
        clock.advance(late * SECOND)
        await quick.tick()
    assert len(work.calls) > 1000
    assert sorted(work.times) == [START + n * 7 * SECOND for n in range(1, len(work.calls) + 1)]


async def test_a_single_time_400_days_ahead_runs_once_in_the_right_year(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    moment = START + 400 * DAY
    await scheduler.create_schedule(ACME, "report", at(moment), key="once")
    for _ in range(22):
        await scheduler.advance(50 * DAY)
    assert work.times == [moment]
    schedule = await scheduler.get_schedule(ACME, "once")
    assert (schedule.status, schedule.next_run_at) == (ScheduleStatus.COMPLETED, None)
    assert (schedule.stats.run_count, schedule.cursor.fired_count) == (1, 1)


# Downtime


async def test_after_a_downtime_the_newest_missed_run_fires_and_the_rest_is_told(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    clock.advance(5.5 * HOUR)
    await scheduler.tick()
    assert work.times == [START + 5 * HOUR]
    missed, fired = await runs_of(scheduler, "hourly")
    assert (missed.status, missed.reason, missed.count) == (RunStatus.MISSED, "coalesced", 4)
    assert (missed.nominal_at, missed.through_at) == (START + HOUR, START + 4 * HOUR)
    assert (fired.status, fired.nominal_at) == (RunStatus.SUCCEEDED, START + 5 * HOUR)
    schedule = await scheduler.get_schedule(ACME, "hourly")
    assert schedule.next_run_at == START + 6 * HOUR
    assert schedule.cursor.decided_through == START + 5 * HOUR


async def test_with_misfire_skip_a_downtime_fires_nothing_late(
    quick: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    quick.register_handler("report", work)
    await quick.create_schedule(ACME, "report", every("1h"), key="hourly", misfire="skip")
    clock.advance(5.5 * HOUR)
    await quick.tick()
    assert work.calls == []
    assert outcomes(await runs_of(quick, "hourly")) == [(RunStatus.MISSED, "misfire", 5)]
    await quick.advance(HOUR)
    assert work.times == [START + 6 * HOUR]


async def test_two_weeks_of_downtime_of_a_fast_schedule_end_with_one_run(
    sqlite_url: str, work: Work, clock: FakeClock
) -> None:
    async with ManualScheduler(sqlite_url, clock=clock, retention_days=30) as scheduler:
        scheduler.register_handler("report", work)
        await scheduler.create_schedule(ACME, "report", every("2m"), key="fast")
        clock.advance(14 * DAY + 90 * SECOND)
        await scheduler.advance(timedelta(0))
        assert work.times == [START + 14 * DAY]
        assert sum(run.count for run in await runs_of(scheduler, "fast")) == 14 * 720


async def test_a_blocked_process_loses_no_tick(
    quick: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    quick.register_handler("report", work)
    await quick.create_schedule(ACME, "report", every("1s"), key="often", overlap="allow")
    clock.advance(10 * SECOND)
    await quick.tick()
    assert sorted(work.times) == [START + n * SECOND for n in range(1, 11)]


async def test_a_clock_that_jumps_back_neither_repeats_nor_loses_an_occurrence(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", every("1m"), key="often")
    await scheduler.advance(3 * MINUTE)
    clock.advance(-2 * MINUTE)
    await scheduler.advance(4 * MINUTE)
    assert work.times == [START + n * MINUTE for n in range(1, 6)]


# Ends


async def test_a_schedule_makes_as_many_runs_as_permitted_and_is_completed(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", every("1h"), key="thrice", max_runs=3)
    await scheduler.advance(10 * HOUR)
    assert work.times == [START + n * HOUR for n in (1, 2, 3)]
    schedule = await scheduler.get_schedule(ACME, "thrice")
    assert (schedule.status, schedule.next_run_at) == (ScheduleStatus.COMPLETED, None)
    assert schedule.cursor.fired_count == 3


async def test_a_schedule_ends_with_its_last_occurrence_before_the_end(
    quick: ManualScheduler, work: Work
) -> None:
    quick.register_handler("report", work)
    await quick.create_schedule(
        ACME,
        "report",
        every("1h"),
        key="bounded",
        starts_at=START + 2 * HOUR,
        ends_at=START + 4 * HOUR,
    )
    await quick.advance(10 * HOUR)
    assert work.times == [START + n * HOUR for n in (2, 3, 4)]
    assert (await quick.get_schedule(ACME, "bounded")).status is ScheduleStatus.COMPLETED


async def test_a_schedule_is_completed_only_when_its_last_run_has_ended(
    scheduler: ManualScheduler, work: Work
) -> None:
    await scheduler.create_schedule(ACME, "report", at(START + HOUR), key="once")
    await scheduler.advance(HOUR)
    waiting = await scheduler.get_schedule(ACME, "once")
    assert (waiting.status, waiting.next_run_at) == (ScheduleStatus.ACTIVE, None)
    scheduler.register_handler("report", work)
    await scheduler.advance(SECOND)
    assert (await scheduler.get_schedule(ACME, "once")).status is ScheduleStatus.COMPLETED


@pytest.mark.parametrize(
    ("rule", "status"),
    [(at(START + HOUR), ScheduleStatus.FAILED), (every("1h"), ScheduleStatus.COMPLETED)],
)
async def test_a_single_time_that_fails_fails_its_schedule_and_a_recurring_one_completes(
    scheduler: ManualScheduler, rule: Trigger, status: ScheduleStatus
) -> None:
    scheduler.register_handler("report", lambda tenant_id, payload: 1 / 0)
    await scheduler.create_schedule(ACME, "report", rule, key="last", max_runs=1)
    await scheduler.advance(3 * HOUR)
    assert (await the_run(scheduler, "last")).status is RunStatus.DEAD
    assert (await scheduler.get_schedule(ACME, "last")).status is status


# Daylight saving, as the published table has it

BERLIN, SANTIAGO = "Europe/Berlin", "America/Santiago"


@pytest.mark.parametrize(
    ("expression", "zone", "day", "fired"),
    [
        ("30 2 * * *", BERLIN, "2026-03-29", ["01:00"]),
        ("30 2 * * *", BERLIN, "2026-10-25", ["00:30"]),
        ("0 2,3 * * *", BERLIN, "2026-03-29", ["01:00"]),
        ("0 */2 * * *", BERLIN, "2026-10-25", ["00:00", "01:00", "03:00", "05:00"]),
        ("30 * * * *", BERLIN, "2026-10-25", ["00:30", "01:30", "02:30"]),
        ("15 1-4 * * *", BERLIN, "2026-03-29", ["00:15", "01:00", "01:15", "02:15"]),
        ("0 0 * * 0", SANTIAGO, "2026-09-06", ["04:00"]),
        ("0 9 1 * 1", "UTC", "2026-03-01", ["09:00"]),
        ("0 9 1 * 1", "UTC", "2026-03-02", ["09:00"]),
    ],
)
async def test_clock_changes_run_each_time_as_often_as_published(
    sqlite_url: str, expression: str, zone: str, day: str, fired: list[str]
) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    work = Work()
    async with ManualScheduler(sqlite_url, start=midnight - SECOND) as scheduler:
        scheduler.register_handler("report", work)
        await scheduler.create_schedule(ACME, "report", cron(expression, tz=zone), key="wall")
        until = max(fired)
        await scheduler.advance(timedelta(hours=int(until[:2]), minutes=int(until[3:]), seconds=30))
    assert [f"{moment:%H:%M}" for moment in work.times] == fired
