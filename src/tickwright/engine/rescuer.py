"""Taking back what dead workers held.

Invariant: a run whose worker's lease is over does not stay running.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from tickwright.engine.finisher import Finisher
from tickwright.engine.hooks import Hooks
from tickwright.engine.retry import decide
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.event import WORKER_OFFLINE, Event
from tickwright.model.run import Claimed, Ending, Lost
from tickwright.observe.base import Emitter
from tickwright.store.base import Store

BATCH = 200


class Rescuer:
    """Sweeps for expired leases; a loop calls `tick` on every node."""

    def __init__(
        self,
        store: Store,
        finisher: Finisher,
        hooks: Hooks,
        emitter: Emitter,
        time: Timekeeper,
        sweep: timedelta,
    ) -> None:
        self.wake_runner: Callable[[], None] = lambda: None
        self._queue = store.queue
        self._workers = store.workers
        self._finisher = finisher
        self._hooks = hooks
        self._emitter = emitter
        self._time = time
        self._sweep = sweep

    async def tick(self) -> timedelta:
        now = await self._time.now()
        for worker in await self._workers.expire(now):
            data = {"workerId": str(worker.id), "host": worker.host, "pid": worker.pid}
            self._emitter.emit(Event(WORKER_OFFLINE, now, data=data))
        while True:
            rescued = await self._queue.rescue(now, BATCH, lambda run: _lost(run, now))
            await self._tell(rescued)
            if len(rescued) < BATCH:
                return self._sweep

    async def _tell(self, rescued: list[Ending]) -> None:
        if not rescued:
            return
        for ending in rescued:
            if ending.final:
                await self._hooks.ended(ending)
        self._finisher.tell(rescued, {ending.run.id for ending in rescued})
        self.wake_runner()


def _lost(run: Claimed, now: datetime) -> Ending:
    return decide(run, Lost(started=run.started_at is not None), now, random.random())
