"""Writing endings in batches: while one flush is under way, the next one fills up.

Invariant: an ending is written once or refused; what could not be written is kept and tried
again, and only an answer from the store takes it from the buffer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from time import monotonic
from uuid import UUID

from tickwright.engine.timekeeper import Timekeeper
from tickwright.model import event as names
from tickwright.model.event import Event
from tickwright.model.run import Claimed, Ending, RunStatus
from tickwright.observe.base import Emitter
from tickwright.store.base import Queue

BATCH = 1000
_UNTOLD = ("released", "snoozed")
_IDLE = timedelta(seconds=30)
_HOLD = timedelta(milliseconds=5)
_LONGEST_HOLD_SECONDS = 0.25
_NAMES = {
    RunStatus.SUCCEEDED: (names.RUN_SUCCEEDED,),
    RunStatus.FAILED: (names.RUN_FAILED,),
    RunStatus.QUEUED: (names.RUN_FAILED,),
    RunStatus.DEAD: (names.RUN_FAILED, names.RUN_DEAD),
    RunStatus.CANCELLED: (names.RUN_CANCELLED,),
}


async def _nothing(_: Iterable[Claimed]) -> None:
    """There is nothing to do first."""


class Finisher:
    """Buffers endings and flushes them; a loop calls `tick`.

    While `herd()` says that many schedules are due at once, endings wait a moment: work that is
    late already should start before what has ended is written down. `before` is awaited before runs
    leave this worker's hands.
    """

    def __init__(
        self, queue: Queue, emitter: Emitter, time: Timekeeper, on_change: Callable[[str], None]
    ) -> None:
        self.wake: Callable[[], None] = lambda: None
        self.herd: Callable[[], bool] = lambda: False
        self.wake_breaker: Callable[[], None] = lambda: None
        self.before: Callable[[Iterable[Claimed]], Awaitable[None]] = _nothing
        self._queue = queue
        self._emitter = emitter
        self._time = time
        self._on_change = on_change
        self._buffer: list[Ending] = []
        self._since = 0.0
        self._flushing = asyncio.Lock()
        self._waiters: dict[UUID, list[asyncio.Future[Ending]]] = {}

    @property
    def unwritten(self) -> list[Claimed]:
        """The runs whose endings are not in the store yet."""
        return [ending.run for ending in self._buffer]

    def add(self, ending: Ending) -> None:
        self._buffer.append(ending)
        if len(self._buffer) == 1:
            self._since = monotonic()
            self.wake()

    async def tick(self) -> timedelta:
        if not self._buffer:
            return _IDLE
        if self.herd() and monotonic() - self._since < _LONGEST_HOLD_SECONDS:
            return _HOLD
        return await self._flush_batch()

    async def _flush_batch(self) -> timedelta:
        # A batch stays in the buffer until it is written, so two flushes must not overlap.
        async with self._flushing:
            batch = self._buffer[:BATCH]
            await self.before(ending.run for ending in batch)
            accepted = await self._queue.finish(batch)
            del self._buffer[: len(batch)]
        self._since = monotonic()
        self.tell(batch, accepted)
        return timedelta(0) if self._buffer else _IDLE

    async def flush(self) -> None:
        """Write everything that is buffered."""
        while self._buffer:
            await self._flush_batch()

    def ended(self, run_id: UUID) -> asyncio.Future[Ending]:
        """Done when this process writes the final ending of the run."""
        future: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(run_id, []).append(future)
        future.add_done_callback(lambda done: self._forget(run_id, done))
        return future

    def _forget(self, run_id: UUID, future: asyncio.Future[Ending]) -> None:
        waiting = self._waiters.get(run_id, [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._waiters.pop(run_id, None)

    def tell(self, endings: Sequence[Ending], accepted: set[UUID]) -> None:
        """Events for what was written, and for what was refused."""
        if any(ending.run_at for ending in endings):
            self._on_change("due")
        if any(ending.run.policy.limited for ending in endings):
            self._on_change("ready")
        for ending in endings:
            if ending.run.id not in accepted:
                self._emitter.emit(self._event(names.RUN_REFUSED, ending))
                continue
            if ending.outcome not in _UNTOLD:
                self._tell_ended(ending)
            if ending.breaks_circuit:
                self.wake_breaker()
            if ending.final and ending.run.id in self._waiters:
                self._resolve(ending)

    def _tell_ended(self, ending: Ending) -> None:
        stuck = (names.RUN_STUCK,) if ending.outcome == "stuck" else ()
        for name in (*stuck, *_NAMES[ending.status]):
            if self._emitter.wanted(name):
                self._emitter.emit(self._event(name, ending))

    def _resolve(self, ending: Ending) -> None:
        for future in list(self._waiters.get(ending.run.id, [])):
            if not future.done():
                future.set_result(ending)

    def _event(self, name: str, ending: Ending) -> Event:
        run = ending.run
        data = {
            "runId": str(run.id),
            "scheduleId": run.schedule_id and str(run.schedule_id),
            "schedule": run.schedule_key,
            "attempt": run.attempt,
            "outcome": ending.outcome,
            "willRetry": not ending.final,
            "error": ending.error and ending.error.partition("\n")[0],
        }
        return Event(name, ending.finished_at, run.scope, data)
