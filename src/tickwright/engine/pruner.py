"""Keeping retention: ended runs are deleted after a while, their roll-ups stay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from tickwright.engine.timekeeper import Timekeeper
from tickwright.store.base import Upkeep

DUTY = "prune"
BATCH = 1000
_EVERY = timedelta(minutes=5)
_LEASE = timedelta(minutes=10)
_PAUSE = timedelta(milliseconds=50)


class Pruner:
    """Deletes in small batches, one process at a time; a loop calls `tick`."""

    def __init__(
        self,
        upkeep: Upkeep,
        time: Timekeeper,
        holder: Callable[[], UUID],
        keep: timedelta,
    ) -> None:
        self._upkeep = upkeep
        self._time = time
        self._holder = holder
        self._keep = keep

    async def tick(self) -> timedelta:
        now = await self._time.now()
        if not await self._upkeep.hold(DUTY, self._holder(), now, now + _LEASE):
            return _EVERY
        pruned = await self._upkeep.prune(now - self._keep, BATCH)
        return _PAUSE if pruned >= BATCH else _EVERY
