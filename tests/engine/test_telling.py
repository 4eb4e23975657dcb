"""What handlers tell is in the store while they work, and in any case when they have ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from tickwright import Backoff, Policy, RunContext, Scheduler, Snooze
from tickwright.model.errors import InvalidInput, NotFound
from tickwright.model.report import RunUpdate
from tickwright.model.run import Items, Progress, Run, RunStatus
from tickwright.service import following
from tickwright.store.base import Store
from tickwright.testing import FakeClock, ManualScheduler

from .support import ACME, OTHER, SECOND, START, Work, under_way, within


async def told(tenant_id: str, payload: Any, ctx: RunContext) -> None:
    ctx.progress(2, 5, "half")
    ctx.items(processed=2, succeeded=1, failed=1)
    ctx.log(f"attempt {ctx.attempt}")
    if payload.get("raises"):
        raise ValueError("boom")


async def texts(scheduler: Scheduler, run: Run) -> list[str]:
    return [line.text for line in (await scheduler.run_logs(ACME, run.id)).lines]


@pytest.mark.parametrize("raises", [False, True])
async def test_however_an_attempt_ends_what_it_told_stays(
    scheduler: ManualScheduler, raises: bool
) -> None:
    scheduler.register_handler("report", told)
    await scheduler.define_job(ACME, "report", Policy(max_attempts=1))
    run = await scheduler.run_job(ACME, "report", {"raises": raises})
    await scheduler.tick()
    run = await scheduler.get_run(ACME, run.id)
    assert run.status is (RunStatus.DEAD if raises else RunStatus.SUCCEEDED)
    assert run.progress == Progress(2, 5, "half", START)
    assert run.items == Items(2, 1, 1)
    assert await texts(scheduler, run) == ["attempt 1"]


async def test_each_attempt_has_a_log_of_its_own(scheduler: ManualScheduler) -> None:
    scheduler.register_handler("report", told)
    await scheduler.define_job(ACME, "report", Policy(backoff=Backoff(base=SECOND, jitter=False)))
    run = await scheduler.run_job(ACME, "report", {"raises": True})
    await scheduler.tick()
    await scheduler.advance(10 * SECOND)
    page = await scheduler.run_logs(ACME, run.id)
    assert [(line.attempt, line.text) for line in page.lines] == [
        (number, f"attempt {number}") for number in (1, 2, 3)
    ]
    assert [line.seq for line in page.lines] == sorted(line.seq for line in page.lines)
    second = await scheduler.run_logs(ACME, run.id, attempt=2)
    assert [line.text for line in second.lines] == ["attempt 2"]


async def test_what_was_put_off_begins_its_log_again(scheduler: ManualScheduler) -> None:
    async def polls(tenant_id: str, payload: Any, ctx: RunContext) -> Any:
        now = await scheduler.clock.now()
        ctx.log(f"after {(now - START).seconds}")
        return None if now - START >= 3 * SECOND else Snooze(SECOND)

    scheduler.register_handler("report", polls)
    run = await scheduler.run_job(ACME, "report")
    await scheduler.tick()
    await scheduler.advance(10 * SECOND)
    run = await scheduler.get_run(ACME, run.id)
    assert (run.status, run.attempt) == (RunStatus.SUCCEEDED, 1)
    assert await texts(scheduler, run) == ["after 3"]


async def test_it_is_there_while_the_work_goes_on(scheduler: ManualScheduler, work: Work) -> None:
    scheduler.register_handler("report", work)
    run = await scheduler.run_job(ACME, "report")
    async with under_way(scheduler, work):
        work.calls[0].progress(1, 2)
        work.calls[0].items(processed=1)
        logging.getLogger("nobody's").error("not the handler's")
        await scheduler._runtime.reporter.tick()
        seen = await scheduler.get_run(ACME, run.id)
        assert seen.progress == Progress(1, 2, None, START)
        assert (seen.status, seen.items.processed) == (RunStatus.RUNNING, 1)
    assert await texts(scheduler, run) == []


async def test_a_worker_that_vanished_leaves_what_it_had_written(
    scheduler: ManualScheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    run = await scheduler.run_job(ACME, "report")
    async with under_way(scheduler, work):
        work.calls[0].log("written")
        await scheduler._runtime.reporter.flush()
        work.calls[0].log("not yet written")
        await scheduler.crash_worker()
        work.calls[0].log("from beyond")
    scheduler.clock.advance(60 * SECOND)
    await scheduler.tick()
    await scheduler.tick()
    run = await scheduler.get_run(ACME, run.id)
    assert (run.status, run.attempt) == (RunStatus.SUCCEEDED, 2)
    assert run.progress is None
    assert (await texts(scheduler, run))[:1] == ["written"]
    assert "from beyond" not in await texts(scheduler, run)


class Counting:
    """Counts how often reports are written."""

    def __init__(self, store: Store) -> None:
        self._save = store.reporting.save
        self.calls = 0

    async def save(self, reports: Any) -> Any:
        self.calls += 1
        return await self._save(reports)


async def test_a_run_that_tells_nothing_costs_nothing(quick: ManualScheduler, work: Work) -> None:
    counting = Counting(quick._store)
    reporter: Any = quick._runtime.reporter
    reporter._reporting = counting
    quick.register_handler("report", work)
    for _ in range(3):
        await quick.run_job(ACME, "report")
    await quick.tick()
    assert (len(work.calls), counting.calls) == (3, 0)
    quick.register_handler("report", told)
    for _ in range(3):
        await quick.run_job(ACME, "report")
    await quick.tick()
    assert 1 <= counting.calls <= 3


async def test_nothing_is_heard_of_an_attempt_that_has_ended(
    quick: ManualScheduler, work: Work
) -> None:
    counting = Counting(quick._store)
    reporter: Any = quick._runtime.reporter
    reporter._reporting = counting
    quick.register_handler("report", work)
    await quick.run_job(ACME, "report")
    await quick.tick()
    work.calls[0].log("late")
    await reporter.flush()
    assert counting.calls == 0


async def test_only_its_own_scope_reads_a_log(scheduler: ManualScheduler) -> None:
    run = await scheduler.run_job(ACME, "report")
    with pytest.raises(NotFound):
        await scheduler.run_logs(OTHER, run.id)
    with pytest.raises(NotFound):
        await anext(scheduler.follow_run(OTHER, run.id))


@pytest.mark.parametrize(
    ("name", "asked"),
    [("limit", {"limit": 0}), ("limit", {"limit": 501}), ("after", {"after": -1})],
)
async def test_a_question_that_makes_no_sense_is_refused(
    quick: ManualScheduler, name: str, asked: Any
) -> None:
    run = await quick.run_job(ACME, "report")
    with pytest.raises(InvalidInput) as refused:
        await quick.run_logs(ACME, run.id, **asked)
    assert refused.value.field == name


# Following


@pytest.fixture
async def elsewhere(
    scheduler: ManualScheduler,
    database_url: str,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Scheduler]:
    """The same database, seen by another process that executes nothing."""
    monkeypatch.setattr(following, "_LOOK_SECONDS", 0.005)
    opened = Scheduler(database_url, clock=clock)
    await opened.open()
    yield opened
    await opened.stop()


def kinds(updates: list[RunUpdate]) -> list[str]:
    return [
        update.line.text
        if update.line
        else update.run.status.value
        if update.kind == "status"
        else update.kind
        for update in updates
    ]


async def test_a_run_is_followed_from_another_process(
    scheduler: ManualScheduler, elsewhere: Scheduler, work: Work
) -> None:
    scheduler.register_handler("report", work)
    run = await scheduler.run_job(ACME, "report")
    updates = elsewhere.follow_run(ACME, run.id)
    assert (await within(anext(updates))).run.status is RunStatus.QUEUED
    async with under_way(scheduler, work):
        assert (await within(anext(updates))).run.status is RunStatus.RUNNING
        work.calls[0].progress(1, 2)
        work.calls[0].log("hello")
        await scheduler._runtime.reporter.flush()
        both = [await within(anext(updates)) for _ in range(2)]
        line, step = sorted(both, key=lambda update: update.kind)
        assert (step.kind, step.run.progress) == ("progress", Progress(1, 2, None, START))
        assert (line.kind, line.line and line.line.text) == ("log", "hello")
        work.calls[0].log("goodbye")
    rest = [update async for update in updates]
    assert sorted(kinds(rest)) == ["end", "goodbye", "succeeded"]
    assert kinds(rest)[-1] == "end"
    again = [update async for update in elsewhere.follow_run(ACME, run.id, after=line.after)]
    assert kinds(again) == ["succeeded", "progress", "goodbye", "end"]
    assert again[-1].after == rest[-1].after


async def test_a_long_log_is_followed_whole(
    scheduler: ManualScheduler, elsewhere: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MAX_LINES_AT_ONCE", 10)

    async def speaks(tenant_id: str, payload: Any, ctx: RunContext) -> None:
        for number in range(25):
            ctx.log(number)

    scheduler.register_handler("report", speaks)
    run = await scheduler.run_job(ACME, "report")
    await scheduler.tick()
    seen = [update async for update in elsewhere.follow_run(ACME, run.id)]
    assert kinds(seen) == ["succeeded", *(str(number) for number in range(25)), "end"]


async def test_who_follows_is_let_go_when_the_process_stops(
    scheduler: ManualScheduler, elsewhere: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = asyncio.Event()

    async def wait(*_: object, **__: object) -> Any:
        waits.set()
        return await real(*_, **__)

    real: Any = asyncio.wait
    run = await scheduler.run_job(ACME, "report")
    monkeypatch.setattr(following, "_LOOK_SECONDS", 1000)
    monkeypatch.setattr(following.asyncio, "wait", wait)  # type: ignore[attr-defined]
    updates = elsewhere.follow_run(ACME, run.id)
    assert (await anext(updates)).kind == "status"
    waiting = asyncio.ensure_future(_last(updates))
    await within(waits.wait())
    await elsewhere.stop()
    assert await within(waiting) is None


async def _last(updates: AsyncGenerator[RunUpdate, None]) -> RunUpdate | None:
    return await anext(updates, None)


async def test_who_stops_following_leaves_nothing_behind(
    scheduler: ManualScheduler, elsewhere: Scheduler
) -> None:
    run = await scheduler.run_job(ACME, "report")
    updates = elsewhere.follow_run(ACME, run.id)
    await anext(updates)
    assert elsewhere._runtime.finisher._waiters
    await updates.aclose()
    await asyncio.sleep(0)
    assert not elsewhere._runtime.finisher._waiters
