"""Work that tells nothing for its heartbeat timeout is stopped; work that tells something is not.

Time is the event loop's own here, and passes when a test says so.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any

import pytest

from tickwright import Ambiguity, Policy, RunContext
from tickwright.engine import reporter
from tickwright.model.run import Claimed, Ending, RunStatus
from tickwright.targets.handler import HandlerRegistry, HandlerTarget
from tickwright.testing import ManualScheduler

from .support import ACME, SECOND, Heard, listen, within
from .test_runner import Bench


class Passing:
    """The loop's time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = asyncio.get_running_loop().time()
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self._now)
        monkeypatch.setattr(reporter, "monotonic", lambda: self._now)

    async def pass_by(self, seconds: float) -> None:
        self._now += seconds
        for _ in range(5):
            await asyncio.sleep(0)


class Held(Bench):
    """A runner whose handler works until it is let go or stopped."""

    def __init__(self, passing: Passing) -> None:
        super().__init__()
        self.passing = passing
        self.go = asyncio.Event()
        self.contexts: list[RunContext] = []
        self.heard = Heard()
        self.finisher._emitter.subscribe(self.heard)

    async def work(self, tenant_id: str, payload: Any, ctx: RunContext) -> str:
        self.contexts.append(ctx)
        await self.go.wait()
        return "done"

    async def open(self) -> None:
        registry = HandlerRegistry()
        registry.register("report", self.work)
        self.targets["handler"] = handlers = HandlerTarget(registry)
        await handlers.open()

    async def begin(self, **policy: Any) -> None:
        """Have a run under way."""
        given = {"heartbeat_timeout": 10 * SECOND, "timeout": 60 * SECOND}
        [run] = self.ready(1, **(given | policy))
        run.target = {"type": "handler", "name": "report"}
        await self.runner.tick()
        await self.passing.pass_by(0)
        assert len(self.contexts) == 1

    @property
    def ctx(self) -> RunContext:
        return self.contexts[-1]

    async def ending(self) -> Ending:
        [ending] = await self.endings()
        return ending


@pytest.fixture
async def held(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Held]:
    bench = Held(Passing(monkeypatch))
    await bench.open()
    yield bench
    await bench.targets["handler"].close()


async def test_silent_work_is_stopped_and_tried_again(held: Held) -> None:
    await held.begin()
    await held.passing.pass_by(9.9)
    assert held.runner.running == 1
    await held.passing.pass_by(0.1)
    ending = await held.ending()
    assert (ending.status, ending.attempt, ending.outcome) == (RunStatus.QUEUED, 2, "stuck")
    assert ending.error == "timed out: it has told nothing for 10 s"
    assert held.heard.names("run") == ["run.started", "run.stuck", "run.failed"]
    [stuck] = held.heard.of("run.stuck")
    assert stuck.data["runId"] == str(ending.run.id)
    assert (stuck.data["willRetry"], stuck.data["error"]) == (True, ending.error)


@pytest.mark.parametrize(
    "tell",
    [
        lambda ctx: ctx.heartbeat(),
        lambda ctx: ctx.progress(1),
        lambda ctx: ctx.log("still here"),
        lambda ctx: ctx.items(processed=1),
    ],
    ids=["heartbeat", "progress", "log", "items"],
)
async def test_work_that_tells_anything_goes_on(
    held: Held, tell: Callable[[RunContext], None]
) -> None:
    await held.begin()
    for _ in range(4):
        await held.passing.pass_by(9)
        tell(held.ctx)
    held.go.set()
    assert await held.statuses() == [RunStatus.SUCCEEDED]


async def test_silence_counts_from_the_last_word(held: Held) -> None:
    await held.begin()
    await held.passing.pass_by(6)
    held.ctx.heartbeat()
    await held.passing.pass_by(9.5)
    assert held.runner.running == 1
    await held.passing.pass_by(2)
    assert (await held.ending()).error == "timed out: it has told nothing for 11.5 s"


async def test_the_timeout_of_the_attempt_holds_all_the_same(held: Held) -> None:
    await held.begin(timeout=25 * SECOND)
    for _ in range(5):
        await held.passing.pass_by(5)
        held.ctx.heartbeat()
    ending = await held.ending()
    assert (ending.error, ending.outcome) == ("timed out after 25 s", "failed")
    assert held.heard.of("run.stuck") == []


async def test_without_a_heartbeat_timeout_silence_is_no_sin(held: Held) -> None:
    await held.begin(heartbeat_timeout=None)
    await held.passing.pass_by(59)
    held.go.set()
    assert await held.statuses() == [RunStatus.SUCCEEDED]


async def test_what_must_not_happen_twice_fails_when_it_is_stuck(held: Held) -> None:
    await held.begin(on_ambiguous=Ambiguity.FAIL)
    await held.passing.pass_by(10)
    assert await held.statuses() == [RunStatus.FAILED]


async def test_the_last_attempt_is_dead_and_keeps_what_it_told(held: Held) -> None:
    await held.begin(max_attempts=1)
    held.ctx.items(processed=7)
    held.ctx.progress(7, 9)
    await held.passing.pass_by(10)
    ending = await held.ending()
    assert (ending.status, ending.items.processed) == (RunStatus.DEAD, 7)
    assert held.heard.names("run") == ["run.started", "run.stuck", "run.failed", "run.dead"]
    assert held.reports.saved[-1].progress is not None


async def test_a_target_that_cannot_tell_anything_is_not_stuck(held: Held) -> None:
    held.target.go.clear()
    held.take(heartbeat_timeout=SECOND)
    await held.passing.pass_by(100)
    held.target.go.set()
    assert await held.statuses() == [RunStatus.SUCCEEDED]


async def test_what_work_told_is_written_before_it_is_handed_back(held: Held) -> None:
    await held.begin()
    held.ctx.log("half way")
    written: list[int] = []
    release = held.queue.release

    async def released(runs: Sequence[Claimed], now: datetime) -> None:
        written.append(len(held.reports.saved))
        await release(runs, now)

    held.queue.release = released  # type: ignore[method-assign]
    await held.runner.drain(0 * SECOND)
    assert [run.id for run in held.queue.released] == [held.ctx.run_id]
    assert written[-1] == 1


async def test_a_thread_that_is_stuck_is_told_to_stop(scheduler: ManualScheduler) -> None:
    """In real time: a thread cannot be made to wait for the loop's."""
    asked = threading.Event()

    def hangs(tenant_id: str, payload: Any, ctx: RunContext) -> None:
        ctx.log("begun")
        while not ctx.cancel_requested:
            asked.wait(0.001)
        asked.set()

    heard = listen(scheduler)
    scheduler.register_handler("report", hangs)
    quickly = Policy(heartbeat_timeout=0.05 * SECOND, max_attempts=1)
    await scheduler.define_job(ACME, "report", quickly)
    run = await scheduler.run_job(ACME, "report")
    await within(scheduler.tick())
    run = await scheduler.get_run(ACME, run.id)
    assert run.status is RunStatus.DEAD
    assert run.error is not None
    assert run.error.startswith("timed out: it has told nothing for 0.0")
    assert len(heard.of("run.stuck")) == 1
    assert await asyncio.to_thread(asked.wait, 10)
