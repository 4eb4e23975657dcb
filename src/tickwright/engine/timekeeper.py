"""The store's time without asking the store each time: its last answer plus monotonic time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tickwright.model.clock import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Timekeeper:
    """Reads the clock for decisions, and stamps what just happened between two readings."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        # One value, because threads of handlers ask for the time too.
        self._reading = (_EPOCH, monotonic())

    async def now(self) -> datetime:
        """The clock's time, for deciding what is due."""
        asked = self._monotonic()
        moment = await self._clock.now()
        got = self._monotonic()
        # An answer that was long on its way must not set back what is known from a later one.
        latest = moment + timedelta(seconds=got - asked)
        if not moment <= self.stamp() <= latest:
            self._reading = (moment, got)
        return moment

    def stamp(self) -> datetime:
        """The present moment as far as this process knows, for recording what happened."""
        moment, got = self._reading
        return moment + timedelta(seconds=self._monotonic() - got)
