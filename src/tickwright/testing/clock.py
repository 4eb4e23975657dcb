"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import datetime, timedelta

from tickwright.model.timestamps import aware


class FakeClock:
    """Tells `start` until it is moved; nothing waits for it, so tests tick what they want run."""

    def __init__(self, start: datetime) -> None:
        self._now = aware("start", start)

    async def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move by a duration, backwards too, as real clocks do; the moment it is then."""
        return self.move_to(self._now + by)

    def move_to(self, moment: datetime) -> datetime:
        self._now = aware("moment", moment)
        return self._now
