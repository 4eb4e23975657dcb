"""Workers that vanish: what they held goes to others, and what they say too late is refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tickwright import Policy, at
from tickwright.model.run import Claimed, RunStatus
from tickwright.model.worker import Worker, WorkerStatus
from tickwright.store.base import Offer
from tickwright.store.database import new_id
from tickwright.testing import FakeClock, ManualScheduler

from .support import (
    ACME,
    HOUR,
    LEASE,
    MINUTE,
    SECOND,
    START,
    Work,
    listen,
    runs_of,
    the_run,
    under_way,
    within,
)


async def due_once(scheduler: ManualScheduler, *keys: str) -> None:
    for key in keys:
        await scheduler.create_schedule(ACME, "report", at(START), key=key)


async def claim(scheduler: ManualScheduler, slots: int = 10) -> list[Claimed]:
    """What another worker claims; it dies before it starts any of it."""
    now = await scheduler.clock.now()
    [known, *_] = await scheduler.workers()
    worker: Worker = replace(
        known,
        id=new_id(),
        host="gone",
        status=WorkerStatus.ONLINE,
        heartbeat_at=now,
        lease_until=now + LEASE,
    )
    await scheduler._store.workers.register(worker)
    offer = Offer(worker.id, worker.queues, ("report",), slots)
    return await scheduler._store.queue.claim(offer, now)


async def test_a_zombie_is_refused_after_another_worker_has_finished_its_run(
    database_url: str, clock: FakeClock
) -> None:
    slow, quick = Work(does=lambda: "slow"), Work(does=lambda: "quick")
    async with (
        ManualScheduler(database_url, clock=clock) as zombie,
        ManualScheduler(database_url, clock=clock) as rescuer,
    ):
        heard = listen(zombie)
        zombie.register_handler("report", slow)
        rescuer.register_handler("report", quick)
        await due_once(zombie, "once")
        async with under_way(zombie, slow):
            clock.advance(LEASE)
            await rescuer.tick()
            run = await the_run(rescuer, "once")
            assert (run.status, run.result) == (RunStatus.SUCCEEDED, "quick")
        assert await the_run(rescuer, "once") == run
        assert heard.names("run.") == ["run.started", "run.refused"]
        assert quick.calls[0].idempotency_key == slow.calls[0].idempotency_key
        schedule = await rescuer.get_schedule(ACME, "once")
        assert (schedule.stats.run_count, schedule.stats.success_count) == (1, 1)


async def test_a_zombie_comes_back_as_another_worker(database_url: str, clock: FakeClock) -> None:
    async with (
        ManualScheduler(database_url, clock=clock) as zombie,
        ManualScheduler(database_url, clock=clock) as other,
    ):
        before = {worker.id for worker in await zombie.workers()}
        clock.advance(LEASE)
        await other.tick()
        await zombie.tick()
        workers = await zombie.workers()
        [again] = [worker for worker in workers if worker.id not in before]
        assert again.status is WorkerStatus.ONLINE
        online = [worker for worker in workers if worker.status is WorkerStatus.ONLINE]
        assert len(online) == 2
        work = Work()
        zombie.register_handler("report", work)
        await due_once(zombie, "once")
        await zombie.tick()
        assert len(work.calls) == 1


async def test_a_lost_run_goes_to_its_next_attempt_with_the_same_key(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await due_once(scheduler, "once")
    async with under_way(scheduler, work):
        await scheduler.crash_worker()
    stuck = await the_run(scheduler, "once")
    assert (stuck.status, stuck.attempt, stuck.started_at) == (RunStatus.RUNNING, 1, START)
    await scheduler.advance(LEASE)
    run = await the_run(scheduler, "once")
    assert (run.status, run.attempt, run.lost_count) == (RunStatus.SUCCEEDED, 2, 1)
    assert work.attempts == [1, 2]
    assert len({call.idempotency_key for call in work.calls}) == 1
    [lost] = await scheduler.attempts(ACME, run.id)
    assert (lost.attempt, lost.outcome, lost.worker_id) == (1, "lost", stuck.worker_id)
    assert lost.error == "the worker was lost while it held this run"


async def test_a_run_is_taken_back_when_the_lease_is_over_and_not_before(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await due_once(scheduler, "once")
    async with under_way(scheduler, work):
        await scheduler.crash_worker()
    await scheduler.advance(LEASE - SECOND)
    assert (await the_run(scheduler, "once")).status is RunStatus.RUNNING
    await scheduler.advance(SECOND)
    assert (await the_run(scheduler, "once")).status is RunStatus.SUCCEEDED


async def test_a_worker_that_beats_keeps_its_run_however_long_the_run_is(
    database_url: str, clock: FakeClock, work: Work
) -> None:
    async with (
        ManualScheduler(database_url, clock=clock) as busy,
        ManualScheduler(database_url, clock=clock) as other,
    ):
        busy.register_handler("report", work)
        other.register_handler("report", work)
        await due_once(busy, "once")
        async with under_way(busy, work):
            heart, store = busy._runtime.heart, busy._store
            for _ in range(5):
                clock.advance(LEASE - SECOND)
                await heart.beat(store.workers, store.clock)
                await other.tick()
        assert work.attempts == [1]
        assert (await the_run(busy, "once")).status is RunStatus.SUCCEEDED


async def test_a_run_that_was_claimed_but_not_started_loses_no_attempt(
    scheduler: ManualScheduler, work: Work
) -> None:
    await due_once(scheduler, "once")
    await scheduler.tick()
    assert len(await claim(scheduler)) == 1
    scheduler.register_handler("report", work)
    await scheduler.advance(LEASE)
    run = await the_run(scheduler, "once")
    assert (run.status, run.attempt, run.lost_count) == (RunStatus.SUCCEEDED, 1, 1)
    assert await scheduler.attempts(ACME, run.id) == []


async def test_a_run_that_takes_its_workers_down_is_dead_after_three_losses(
    scheduler: ManualScheduler,
) -> None:
    heard = listen(scheduler)
    await scheduler.define_job(ACME, "report", Policy(max_attempts=100))
    await due_once(scheduler, "once")
    await scheduler.tick()
    for lost in range(4):
        run = await the_run(scheduler, "once")
        assert (run.status, run.lost_count) == (RunStatus.QUEUED, lost)
        [claimed] = await claim(scheduler)
        claimed.started_at = await scheduler.clock.now()
        await scheduler._store.queue.started([claimed])
        await scheduler.advance(LEASE)
    run = await the_run(scheduler, "once")
    assert (run.status, run.lost_count) == (RunStatus.DEAD, 4)
    assert heard.names("run.") == [*["run.failed"] * 4, "run.dead"]
    assert [event.data["outcome"] for event in heard.of("run.failed")] == ["lost"] * 4


async def test_losses_use_up_the_attempts_of_an_ordinary_run(scheduler: ManualScheduler) -> None:
    work = Work()
    scheduler.register_handler("report", work)
    await due_once(scheduler, "once")
    for _ in range(3):
        async with under_way(scheduler, work):
            await scheduler.crash_worker()
        scheduler.clock.advance(LEASE)
        await scheduler._runtime.rescuer.tick()
    run = await the_run(scheduler, "once")
    assert (run.status, run.attempt) == (RunStatus.DEAD, 3)
    assert work.attempts == [1, 2, 3]


async def test_all_that_a_lost_worker_held_is_taken_back_batch_after_batch(
    scheduler: ManualScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwright.engine.rescuer.BATCH", 5)
    await due_once(scheduler, *(f"k{number}" for number in range(22)))
    await scheduler.tick()
    assert len(await claim(scheduler, 30)) == 22
    work = Work()
    scheduler.register_handler("report", work)
    await scheduler.advance(LEASE)
    assert len(work.calls) == 22
    assert {run.status for run in await runs_of(scheduler)} == {RunStatus.SUCCEEDED}


async def test_a_lost_worker_is_told_once_and_shown_offline(
    database_url: str, clock: FakeClock
) -> None:
    async with ManualScheduler(database_url, clock=clock) as watching:
        heard = listen(watching)
        async with ManualScheduler(database_url, clock=clock):
            [mine] = [w for w in await watching.workers() if w.id == watching._runtime.worker_id]
        for _ in range(10):
            clock.advance(LEASE / 3)
            await watching.tick()
        [event] = heard.of("worker.offline")
        assert event.data["workerId"] != str(mine.id)
        shown = {worker.id: worker.status for worker in await watching.workers()}
        assert sorted(shown.values()) == [WorkerStatus.OFFLINE, WorkerStatus.ONLINE]
        assert shown[mine.id] is WorkerStatus.ONLINE


async def test_a_draining_worker_stays_so_through_its_heartbeats_and_gets_nothing_new(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    runtime = scheduler._runtime
    await due_once(scheduler, "once")
    runtime._status = WorkerStatus.DRAINING
    for _ in range(3):
        await scheduler.advance(LEASE / 3)
    [worker] = await scheduler.workers()
    assert worker.status is WorkerStatus.DRAINING
    assert worker.lease_until == START + 2 * LEASE
    assert work.calls == []


async def test_a_cancelled_run_of_a_lost_worker_is_not_run_again(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await due_once(scheduler, "once")
    async with under_way(scheduler, work):
        await scheduler.cancel_run(ACME, (await the_run(scheduler, "once")).id)
        await scheduler.crash_worker()
    await scheduler.advance(HOUR)
    assert (await the_run(scheduler, "once")).status is RunStatus.CANCELLED
    assert work.attempts == [1]


async def test_a_retry_of_a_lost_run_does_not_wait_for_its_backoff(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.define_job(ACME, "report", Policy(timeout=timedelta(hours=2)))
    await due_once(scheduler, "once")
    async with under_way(scheduler, work):
        await scheduler.crash_worker()
    await within(asyncio.gather(scheduler.advance(LEASE)))
    run = await the_run(scheduler, "once")
    assert run.finished_at == START + LEASE < START + MINUTE
