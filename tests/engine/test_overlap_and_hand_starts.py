"""One run at a time unless told otherwise; starts by hand obey, and a double click is one run."""

from __future__ import annotations

import asyncio

import pytest

from tickwright import Conflict, InvalidInput, NotFound, at, every
from tickwright.model.run import Cause, RunStatus
from tickwright.model.schedule import ScheduleStatus
from tickwright.testing import FakeClock, ManualScheduler

from .support import (
    ACME,
    HOUR,
    MINUTE,
    OTHER,
    START,
    Work,
    failing,
    outcomes,
    runs_of,
    the_run,
    under_way,
    within,
)


async def test_a_run_longer_than_the_interval_is_not_joined_by_another(
    database_url: str, clock: FakeClock, work: Work
) -> None:
    async with (
        ManualScheduler(database_url, clock=clock, lease_seconds=3600) as busy,
        ManualScheduler(database_url, clock=clock) as planning,
    ):
        busy.register_handler("report", work)
        planning.register_handler("report", work)
        await busy.create_schedule(ACME, "report", every("1m"), key="often")
        clock.advance(MINUTE)
        async with under_way(busy, work):
            for _ in range(3):
                clock.advance(MINUTE)
                await planning.tick()
            assert work.times == [START + MINUTE]
        await busy.advance(MINUTE)
        assert work.times == [START + MINUTE, START + 5 * MINUTE]
        succeeded = (RunStatus.SUCCEEDED, None, 1)
        skipped = (RunStatus.SKIPPED, "overlap", 1)
        assert outcomes(await runs_of(busy, "often")) == [succeeded, *[skipped] * 3, succeeded]


async def test_a_run_that_waits_for_its_next_try_is_open_too(quick: ManualScheduler) -> None:
    quick.register_handler("report", failing())
    await quick.create_schedule(ACME, "report", every("8s"), key="often", max_runs=2)
    await quick.advance(2 * MINUTE)
    runs = await runs_of(quick, "often")
    fired = [run for run in runs if run.status is RunStatus.DEAD]
    assert len(fired) == 2
    assert fired[0].finished_at is not None
    assert fired[0].finished_at <= fired[1].nominal_at
    between = [run for run in runs if fired[0].nominal_at < run.nominal_at < fired[1].nominal_at]
    assert {(run.status, run.reason) for run in between} == {(RunStatus.SKIPPED, "overlap")}


async def test_with_allow_runs_join_each_other(
    quick: ManualScheduler, work: Work, clock: FakeClock, sqlite_url: str
) -> None:
    quick.register_handler("report", work)
    await quick.create_schedule(ACME, "report", every("20s"), key="often", overlap="allow")
    clock.advance(HOUR / 180)
    async with ManualScheduler(sqlite_url, clock=clock) as another:
        another.register_handler("report", work)
        async with under_way(quick, work):
            clock.advance(HOUR / 180)
            ticking = asyncio.create_task(another.tick())
            await within(_called(work, 2))
        await within(ticking)
    assert [run.status for run in await runs_of(quick, "often")] == [RunStatus.SUCCEEDED] * 2


async def _called(work: Work, times: int) -> None:
    while len(work.calls) < times:
        work.begun.clear()
        await work.begun.wait()


# Starts by hand


async def test_a_start_by_hand_runs_once_and_moves_nothing(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    made = await scheduler.create_schedule(
        ACME, "report", every("1h"), key="hourly", payload={"list": 1}, max_runs=2
    )
    run = await scheduler.trigger_schedule(ACME, "hourly", triggered_by="ada", payload={"list": 2})
    assert (run.status, run.cause, run.triggered_by) == (RunStatus.QUEUED, Cause.MANUAL, "ada")
    await scheduler.tick()
    run = await scheduler.get_run(ACME, run.id)
    assert (run.status, run.payload) == (RunStatus.SUCCEEDED, {"list": 2})
    assert work.payloads == [("acme", {"list": 2})]
    assert work.calls[0].idempotency_key == f"s1:acme:{made.id}:m:{run.id}"
    after = await scheduler.get_schedule(ACME, "hourly")
    assert after.cursor == made.cursor
    assert after.stats.run_count == 1
    await scheduler.advance(5 * HOUR)
    assert work.times[1:] == [START + HOUR, START + 2 * HOUR]


async def test_a_start_by_hand_while_a_run_is_open_is_a_conflict(
    scheduler: ManualScheduler, work: Work, clock: FakeClock
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    clock.advance(HOUR)
    async with under_way(scheduler, work):
        with pytest.raises(Conflict):
            await scheduler.trigger_schedule(ACME, "hourly")
    await scheduler.trigger_schedule(ACME, "hourly")
    with pytest.raises(Conflict):
        await scheduler.trigger_schedule(ACME, "hourly")
    await scheduler.tick()
    assert len(work.calls) == 2


async def test_an_occurrence_is_skipped_while_a_run_by_hand_is_open(
    scheduler: ManualScheduler,
) -> None:
    await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    await scheduler.trigger_schedule(ACME, "hourly")
    await scheduler.advance(HOUR)
    manual, skipped = await runs_of(scheduler, "hourly")
    assert (manual.status, skipped.status) == (RunStatus.QUEUED, RunStatus.SKIPPED)


async def test_with_allow_any_number_may_be_started_by_hand(quick: ManualScheduler) -> None:
    await quick.create_schedule(ACME, "report", every("1h"), key="hourly", overlap="allow")
    for _ in range(3):
        await quick.trigger_schedule(ACME, "hourly")
    assert len(await runs_of(quick, "hourly")) == 3


async def test_a_double_click_is_one_run(scheduler: ManualScheduler, work: Work) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", every("1h"), key="hourly")
    first, second = await asyncio.gather(
        *(scheduler.trigger_schedule(ACME, "hourly", request_key="click-1") for _ in range(2))
    )
    assert first.id == second.id
    await scheduler.tick()
    again = await scheduler.trigger_schedule(ACME, "hourly", request_key="click-1")
    assert (again.id, again.status) == (first.id, RunStatus.SUCCEEDED)
    await scheduler.tick()
    assert len(work.calls) == 1


async def test_a_paused_or_completed_schedule_may_be_started_by_hand(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", at(START + HOUR), key="once")
    await scheduler.pause_schedule(ACME, "once")
    await scheduler.trigger_schedule(ACME, "once")
    await scheduler.tick()
    assert (await scheduler.get_schedule(ACME, "once")).status is ScheduleStatus.PAUSED
    await scheduler.resume_schedule(ACME, "once")
    await scheduler.advance(HOUR)
    await scheduler.trigger_schedule(ACME, "once")
    await scheduler.tick()
    assert len(work.calls) == 3
    assert (await scheduler.get_schedule(ACME, "once")).status is ScheduleStatus.COMPLETED


async def test_an_unknown_schedule_cannot_be_started(quick: ManualScheduler) -> None:
    await quick.create_schedule(ACME, "report", every("1h"), key="hourly")
    for scope, key in ((ACME, "nightly"), (OTHER, "hourly")):
        with pytest.raises(NotFound):
            await quick.trigger_schedule(scope, key)
    assert await runs_of(quick) == []


async def test_a_payload_that_cannot_be_stored_is_refused(quick: ManualScheduler) -> None:
    await quick.create_schedule(ACME, "report", every("1h"), key="hourly")
    with pytest.raises(InvalidInput) as refused:
        await quick.trigger_schedule(ACME, "hourly", payload={"a": "\x00"})
    assert refused.value.field == "payload"


async def test_the_same_occurrence_has_one_key_through_all_its_attempts(
    quick: ManualScheduler,
) -> None:
    work = failing()
    quick.register_handler("report", work)
    await quick.create_schedule(ACME, "report", every("1h"), key="hourly")
    await quick.advance(HOUR + MINUTE)
    assert len(work.calls) == 3
    assert {call.idempotency_key for call in work.calls} == {
        f"s1:acme:{(await the_run(quick, 'hourly')).schedule_id}:2040-01-02T10:00:00Z"
    }
