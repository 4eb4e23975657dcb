"""A background duty: a `tick` that says when it wants to run again, and a wake-up.

Invariant: an error never ends a loop; it is told, and the next try waits a little longer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic

from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.errors import StoreUnavailable
from tickwright.model.event import LOOP_FAILED, Event
from tickwright.observe.base import Emitter

Tick = Callable[[], Awaitable[timedelta]]
_LONGEST_BACKOFF_SECONDS = 5.0
_FIRST_BACKOFF_SECONDS = 0.2


class Loop:
    """Runs one duty until it is stopped, sleeping on the monotonic clock."""

    def __init__(self, name: str, tick: Tick, emitter: Emitter, time: Timekeeper) -> None:
        self.name = name
        self.error: str | None = None
        self._tick = tick
        self._emitter = emitter
        self._time = time
        self._awake = asyncio.Event()
        self._failures = 0
        self._finished = monotonic()

    @property
    def stalled_for(self) -> timedelta:
        """How long ago the last tick ended without an error."""
        return timedelta(seconds=monotonic() - self._finished)

    def wake(self) -> None:
        """Tick again as soon as possible."""
        self._awake.set()

    async def run(self) -> None:
        while True:
            self._awake.clear()
            await self._sleep(await self._once())

    async def _once(self) -> timedelta:
        try:
            delay = await self._tick()
        except Exception as error:
            return self._failed(error)
        self._failures, self.error, self._finished = 0, None, monotonic()
        return delay

    def _failed(self, error: Exception) -> timedelta:
        self._failures += 1
        self.error = f"{type(error).__name__}: {error}"
        data = {"loop": self.name, "error": self.error, "failures": self._failures}
        if self._failures == 1 or not isinstance(error, StoreUnavailable):
            self._emitter.emit(Event(LOOP_FAILED, self._time.stamp(), data=data))
        longest = min(_FIRST_BACKOFF_SECONDS * 2**self._failures, _LONGEST_BACKOFF_SECONDS)
        return timedelta(seconds=random.uniform(longest / 2, longest))

    async def _sleep(self, delay: timedelta) -> None:
        seconds = delay.total_seconds()
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            return
