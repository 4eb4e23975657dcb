"""A background duty goes on whatever its ticks do, and does not run when nobody needs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from tickwright.engine.loop import Loop
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.errors import StoreUnavailable
from tickwright.observe.base import Emitter
from tickwright.testing import FakeClock

from .support import START, Heard, within

NEVER = timedelta(days=1)
SOON = timedelta(milliseconds=1)


class Duty:
    """Ticks that are counted, and answer or raise as they are told."""

    def __init__(self, *answers: timedelta | Exception) -> None:
        self.answers = list(answers)
        self.ticks = 0
        self.ticked = asyncio.Event()
        self.before: Callable[[], None] = lambda: None
        self.heard = Heard()
        emitter = Emitter()
        emitter.subscribe(self.heard)
        self.loop = Loop("duty", self.tick, emitter, Timekeeper(FakeClock(START)))

    async def tick(self) -> timedelta:
        self.ticks += 1
        self.before()
        self.ticked.set()
        answer = self.answers.pop(0) if self.answers else NEVER
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def until(self, ticks: int) -> None:
        while self.ticks < ticks:
            self.ticked.clear()
            await within(self.ticked.wait())
        for _ in range(3):
            await asyncio.sleep(0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.loop.run())
        try:
            yield
            assert not task.done(), "the loop has ended by itself"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_it_ticks_at_once_and_again_when_the_tick_asks_for_it() -> None:
    duty = Duty(SOON, timedelta(0), -NEVER)
    async with duty.running():
        await duty.until(4)
    assert duty.ticks == 4


async def test_a_wake_up_ends_the_longest_sleep() -> None:
    duty = Duty()
    async with duty.running():
        await duty.until(1)
        duty.loop.wake()
        await duty.until(2)
    assert duty.ticks == 2


async def test_a_wake_up_during_a_tick_is_not_lost_and_several_are_one() -> None:
    duty = Duty()

    def wake_twice() -> None:
        duty.before = lambda: None
        duty.loop.wake()
        duty.loop.wake()

    duty.before = wake_twice
    async with duty.running():
        await duty.until(2)
    assert duty.ticks == 2


async def test_an_error_is_told_and_the_loop_goes_on() -> None:
    duty = Duty(ValueError("boom"))
    async with duty.running():
        await duty.until(1)
        assert duty.loop.error == "ValueError: boom"
        duty.loop.wake()
        await duty.until(2)
        assert duty.loop.error is None
    [event] = duty.heard.of("loop.failed")
    assert event.data == {"loop": "duty", "error": "ValueError: boom", "failures": 1}


async def test_after_an_error_it_tries_again_by_itself() -> None:
    duty = Duty(ValueError("boom"))
    async with duty.running():
        await duty.until(2)
    assert duty.loop.error is None


async def test_each_error_in_a_row_waits_longer_up_to_five_seconds() -> None:
    duty = Duty(*[ValueError("boom")] * 8, SOON, ValueError("boom"))
    delays = [(await duty.loop._once()).total_seconds() for _ in range(8)]
    for delay, longest in zip(delays, (0.4, 0.8, 1.6, 3.2, 5, 5, 5, 5), strict=True):
        assert longest / 2 <= delay <= longest
    assert await duty.loop._once() == SOON
    assert (await duty.loop._once()).total_seconds() <= 0.4


async def test_a_database_that_is_away_is_told_once_until_it_is_back() -> None:
    away = StoreUnavailable("gone")
    duty = Duty(away, away, away, SOON, away)
    for _ in range(5):
        await duty.loop._once()
    assert len(duty.heard.of("loop.failed")) == 2


async def test_how_long_it_has_been_failing_is_known() -> None:
    duty = Duty(SOON, ValueError("boom"))
    await duty.loop._once()
    before = duty.loop.stalled_for
    await duty.loop._once()
    assert duty.loop.stalled_for > before >= timedelta(0)
