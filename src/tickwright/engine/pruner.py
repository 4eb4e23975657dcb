"""Keeping retention: ended runs are deleted by age and by number, their roll-ups stay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from tickwright.engine.timekeeper import Timekeeper
from tickwright.store.answers import Pruned
from tickwright.store.base import Store

DUTY = "prune"
BATCH = 500
_EVERY = timedelta(minutes=5)
_LEASE = timedelta(minutes=10)
_PAUSE = timedelta(milliseconds=50)
_STEP = timedelta(seconds=1)
_FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(slots=True)
class _Walk:
    """A way through everything in small steps, whose place is remembered from tick to tick."""

    step: Callable[[UUID | None], Awaitable[Pruned]]
    after: UUID | None = None
    over: bool = True

    def begin(self) -> None:
        self.after, self.over = None, False

    async def go_on(self) -> int:
        if self.over:
            return 0
        pruned = await self.step(self.after)
        self.after, self.over = pruned.after, pruned.over
        return pruned.runs


class Pruner:
    """Deletes in small steps, one process at a time; a loop calls `tick`.

    Where no job says otherwise, ended runs stay for `keep`, and `most` of each schedule (0: all).
    """

    def __init__(
        self,
        store: Store,
        time: Timekeeper,
        holder: Callable[[], UUID],
        keep: timedelta,
        most: int,
    ) -> None:
        self._upkeep = store.upkeep
        self._workers = store.workers
        self._time = time
        self._holder = holder
        self._keep = keep
        self._most = most
        self._walks = (_Walk(self._by_age), _Walk(self._by_number))

    async def tick(self) -> timedelta:
        now = await self._time.now()
        if not await self._upkeep.hold(DUTY, self._holder(), now, now + _LEASE):
            return _EVERY
        if self._is_through:
            await self._workers.forget(now - _FORGOTTEN_AFTER)
            for walk in self._walks:
                walk.begin()
        deleted = [await walk.go_on() for walk in self._walks]
        if self._is_through:
            return _EVERY
        return _PAUSE if any(deleted) else _STEP

    @property
    def _is_through(self) -> bool:
        return all(walk.over for walk in self._walks)

    async def _by_age(self, after: UUID | None) -> Pruned:
        now = await self._time.now()
        return await self._upkeep.prune_old(now, self._keep, BATCH, after)

    async def _by_number(self, after: UUID | None) -> Pruned:
        return await self._upkeep.prune_excess(self._most, BATCH, after)
