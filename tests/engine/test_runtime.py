"""A running engine: woken by what others do, and back as a new worker when its lease is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from tickwright import Scheduler, every
from tickwright.engine.runtime import Options, Runtime
from tickwright.model.run import RunStatus
from tickwright.model.worker import WorkerStatus
from tickwright.testing import FakeClock, ManualScheduler

from .support import (
    ACME,
    MINUTE,
    SECOND,
    START,
    Heard,
    Work,
    listen,
    runs_of,
    the_run,
    within,
)


async def test_a_handler_registered_while_the_engine_runs_is_served_at_once(
    sqlite_url: str, work: Work
) -> None:
    async with Scheduler(sqlite_url) as scheduler:
        await scheduler.create_schedule(ACME, "report", every("1h"), key="k")
        run = await scheduler.trigger_schedule(ACME, "k")
        scheduler.register_handler("report", work)
        ended = await scheduler.wait_for_run(ACME, run.id, MINUTE)
        assert ended.status is RunStatus.SUCCEEDED


async def test_what_another_process_queues_is_noticed_long_before_the_poll(
    database_url: str, work: Work
) -> None:
    async with Scheduler(database_url) as working, Scheduler(database_url) as asking:
        working.register_handler("report", work)
        await asking.create_schedule(ACME, "report", every("1h"), key="k")
        run = await asking.trigger_schedule(ACME, "k")
        await within(work.begun.wait())
        ended = await asking.wait_for_run(ACME, run.id, MINUTE)
        assert ended.status is RunStatus.SUCCEEDED


async def test_a_worker_declared_offline_stops_its_work_and_comes_back_as_another(
    sqlite_url: str, work: Work
) -> None:
    work.hold()
    scheduler = Scheduler(sqlite_url, sweep_seconds=0.05)
    heard = listen(scheduler)
    async with scheduler:
        scheduler.register_handler("report", work)
        await scheduler.create_schedule(ACME, "report", every("1h"), key="k")
        run = await scheduler.trigger_schedule(ACME, "k")
        await within(work.begun.wait())
        lost = scheduler._runtime.worker_id
        await scheduler._store.workers.mark(lost, WorkerStatus.OFFLINE)
        scheduler._runtime.wake("cancel")
        await within(work.cancelled.wait())
        await heard.until("worker.registered", 2)
        assert scheduler._runtime.worker_id != lost
        work.let_go()
        ended = await scheduler.wait_for_run(ACME, run.id, MINUTE)
        assert (ended.status, ended.lost_count) == (RunStatus.SUCCEEDED, 1)
        assert len({call.idempotency_key for call in work.calls}) == 1
        online = [w for w in await scheduler.workers() if w.status is WorkerStatus.ONLINE]
        assert [worker.id for worker in online] == [scheduler._runtime.worker_id]


async def test_being_told_of_the_loss_twice_makes_one_new_worker(sqlite_url: str) -> None:
    scheduler = Scheduler(sqlite_url)
    heard = listen(scheduler)
    async with scheduler:
        lost = scheduler._runtime.worker_id
        await scheduler._store.workers.mark(lost, WorkerStatus.OFFLINE)
        for _ in range(3):
            scheduler._runtime._lease_lost(lost)
        await heard.until("worker.registered", 2)
        assert len(await scheduler.workers()) == 2
    assert len(heard.of("worker.registered")) == 2


async def test_a_stopped_worker_is_shown_offline(sqlite_url: str) -> None:
    async with Scheduler(sqlite_url) as scheduler:
        assert [w.status for w in await scheduler.workers()] == [WorkerStatus.ONLINE]
    async with ManualScheduler(sqlite_url) as looking:
        shown = {worker.status for worker in await looking.workers()}
    assert shown == {WorkerStatus.OFFLINE, WorkerStatus.ONLINE}


async def test_noticing_others_goes_on_after_it_failed(
    quick: ManualScheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tickwright.engine.runtime._RETURN_SECONDS", 0.001)
    watched = asyncio.Event()
    failures = [OSError("gone"), ValueError("odd")]

    async def watch(wake: Callable[[str], None]) -> None:
        if failures:
            raise failures.pop()
        watched.set()
        await asyncio.Event().wait()

    parts = quick._runtime.parts
    store = replace(parts.store, watch=watch)
    runtime = Runtime(replace(parts, store=store, targets={}), Options())
    await runtime.start()
    try:
        await within(watched.wait())
    finally:
        await runtime.stop()
    assert caplog.text.count("changes are not noticed") == 2


async def test_each_topic_wakes_those_it_concerns(sqlite_url: str) -> None:
    async with Scheduler(sqlite_url) as scheduler:
        runtime = scheduler._runtime
        woken: list[str] = []

        class Woken:
            """Stands for a loop and notes that it was woken."""

            error = None

            def __init__(self, name: str) -> None:
                self.wake: Callable[[], None] = lambda: woken.append(name)

        loops, names = dict(runtime.loops), list(runtime.loops)
        runtime.loops.update({name: Woken(name) for name in names})  # type: ignore[misc]
        try:
            for topic in ("due", "ready", "cancel", "unheard of"):
                runtime.wake(topic)
        finally:
            runtime.loops.update(loops)
        assert woken == ["planner", "runner"]


async def test_a_start_by_hand_in_one_process_is_told_and_ended_in_another(
    sqlite_url: str, clock: FakeClock, work: Work
) -> None:
    async with (
        ManualScheduler(sqlite_url, clock=clock) as asking,
        ManualScheduler(sqlite_url, clock=clock) as working,
    ):
        heard: Heard = listen(working)
        working.register_handler("report", work)
        await asking.create_schedule(ACME, "report", every("1h"), key="k")
        await asking.trigger_schedule(ACME, "k")
        await asking.tick()
        assert work.calls == []
        await working.tick()
        assert heard.names("run.") == ["run.started", "run.succeeded"]
        run = await the_run(asking, "k")
        assert (run.started_at, run.worker_id) == (START, working._runtime.worker_id)
        assert len(await runs_of(asking)) == 1
        assert run.duration is not None
        assert run.duration < SECOND
