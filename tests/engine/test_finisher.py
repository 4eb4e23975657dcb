"""Endings reach the store once each, in batches, also when the store was away in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tickwright.engine.finisher import BATCH, Finisher
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.errors import StoreUnavailable
from tickwright.model.run import Ending, RunStatus
from tickwright.observe.base import Emitter
from tickwright.store.database import new_id
from tickwright.testing import FakeClock

from .fakes import FakeQueue, claimed, ended
from .support import MINUTE, START, Heard, within


class Desk:
    """A finisher, the queue behind it, and what was heard of it."""

    def __init__(self) -> None:
        self.queue, self.heard, self.retries = FakeQueue(), Heard(), 0
        emitter = Emitter()
        emitter.subscribe(self.heard)
        self.finisher = Finisher(
            self.queue, emitter, Timekeeper(FakeClock(START)), self._count_retry
        )

    def _count_retry(self, topic: str) -> None:
        self.retries += topic == "due"

    def add(self, count: int = 1, status: RunStatus = RunStatus.SUCCEEDED) -> list[Ending]:
        endings = [ended(claimed(new_id()), status) for _ in range(count)]
        for ending in endings:
            self.queue.hold(ending.run)
            self.finisher.add(ending)
        return endings


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_the_first_ending_wakes_the_loop_and_the_others_do_not(desk: Desk) -> None:
    woken: list[int] = []
    desk.finisher.wake = lambda: woken.append(1)
    desk.add(3)
    assert len(woken) == 1


async def test_while_the_store_is_away_endings_are_kept_and_written_later(desk: Desk) -> None:
    endings = desk.add(3)
    desk.queue.away = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await desk.finisher.tick()
    endings += desk.add(2)
    assert [ending.run for ending in endings] == desk.finisher.unwritten
    assert desk.heard.events == []
    desk.queue.away = False
    await desk.finisher.tick()
    assert desk.queue.finished == endings
    assert desk.finisher.unwritten == []
    assert desk.heard.names() == ["run.succeeded"] * 5


async def test_two_flushes_at_once_write_each_ending_once_and_lose_none(desk: Desk) -> None:
    endings = desk.add(3)
    desk.queue.answers.clear()
    ticking = asyncio.create_task(desk.finisher.tick())
    await within(desk.queue.asked.wait())
    flushing = asyncio.create_task(desk.finisher.flush())
    endings += desk.add(2)
    await asyncio.sleep(0)
    desk.queue.answers.set()
    await within(asyncio.gather(ticking, flushing))
    assert desk.queue.finished == endings
    assert desk.heard.names() == ["run.succeeded"] * 5


async def test_a_write_that_is_interrupted_keeps_its_endings(desk: Desk) -> None:
    endings = desk.add(2)
    desk.queue.answers.clear()
    ticking = asyncio.create_task(desk.finisher.tick())
    await within(desk.queue.asked.wait())
    ticking.cancel()
    await asyncio.gather(ticking, return_exceptions=True)
    desk.queue.answers.set()
    await desk.finisher.flush()
    assert desk.queue.finished == endings


async def test_many_endings_are_written_in_batches_without_a_pause(desk: Desk) -> None:
    desk.add(2 * BATCH + 1)
    assert await desk.finisher.tick() == timedelta(0)
    assert await desk.finisher.tick() == timedelta(0)
    assert await desk.finisher.tick() > timedelta(seconds=1)
    assert desk.queue.batches == [BATCH, BATCH, 1]
    assert await desk.finisher.tick() > timedelta(seconds=1)
    assert len(desk.queue.batches) == 3


async def test_a_refused_ending_is_told_and_not_tried_again(desk: Desk) -> None:
    [kept, refused] = desk.add(2)
    del desk.queue.running[refused.run.id]
    waiting = desk.finisher.ended(refused.run.id)
    await desk.finisher.tick()
    assert desk.heard.names() == ["run.succeeded", "run.refused"]
    [event] = desk.heard.of("run.refused")
    assert event.data["runId"] == str(refused.run.id)
    assert desk.queue.finished == [kept]
    assert desk.finisher.unwritten == []
    assert not waiting.done()


async def test_in_a_herd_endings_wait_but_not_for_ever(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("tickwright.engine.finisher.monotonic", lambda: now)
    desk.finisher.herd = lambda: True
    desk.add()
    assert timedelta(0) < await desk.finisher.tick() < timedelta(milliseconds=50)
    assert desk.queue.batches == []
    now += 0.3
    await desk.finisher.tick()
    assert desk.queue.batches == [1]


async def test_whoever_waits_for_a_run_is_told_its_final_ending_only(desk: Desk) -> None:
    run = claimed(new_id())
    waiting = desk.finisher.ended(run.id)
    desk.queue.hold(run)
    desk.finisher.add(ended(run, RunStatus.QUEUED, run_at=START + MINUTE))
    await desk.finisher.flush()
    assert not waiting.done()
    assert desk.retries == 1
    desk.queue.hold(run)
    final = ended(run, RunStatus.DEAD)
    desk.finisher.add(final)
    await desk.finisher.flush()
    assert waiting.result() is final


async def test_nothing_is_kept_of_those_who_no_longer_wait(desk: Desk) -> None:
    run_id = new_id()
    first, second = desk.finisher.ended(run_id), desk.finisher.ended(run_id)
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    await asyncio.sleep(0)
    assert desk.finisher._waiters == {}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (RunStatus.SUCCEEDED, ["run.succeeded"]),
        (RunStatus.FAILED, ["run.failed"]),
        (RunStatus.QUEUED, ["run.failed"]),
        (RunStatus.DEAD, ["run.failed", "run.dead"]),
        (RunStatus.CANCELLED, ["run.cancelled"]),
    ],
)
async def test_each_way_to_end_has_its_events(
    desk: Desk, status: RunStatus, told: list[str]
) -> None:
    [ending] = desk.add(1, status)
    ending.error = "ValueError: boom\n\nTraceback"
    await desk.finisher.flush()
    assert desk.heard.names() == told
    for event in desk.heard.events:
        assert event.scope == ending.run.scope
        assert event.data["error"] == "ValueError: boom"
        assert event.data["willRetry"] is (status is RunStatus.QUEUED)
        assert event.data["scheduleId"] == str(ending.run.schedule_id)
