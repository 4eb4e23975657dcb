"""Claiming runs and keeping their tasks: what this worker holds, and how much more it can take.

Invariant: every run that was claimed is executed, handed back, or given up because its lease was
lost; it is never forgotten.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from time import monotonic
from uuid import UUID

from tickwright.dispatch.base import Dispatcher
from tickwright.engine.executor import Executor, failure_of
from tickwright.engine.finisher import Finisher
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.run import Cancelled, Claimed, Failed
from tickwright.store.base import Offer, Queue

MOST_AHEAD = 1000
_QUICK_SECONDS = 0.05
_STALE_SECONDS = 0.1
_STOP_SECONDS = 1.0
MARK_AFTER = timedelta(milliseconds=50)
_IDLE = timedelta(seconds=30)


class Runner:
    """Holds the runs of one worker.

    `slots` bound how many execute at once. While work drains quickly the runner claims further
    ahead than its slots, so that short runs are not held up by round trips; as soon as claimed
    runs have to wait it claims less.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        queue: Queue,
        executor: Executor,
        finisher: Finisher,
        time: Timekeeper,
        offer: Offer,
    ) -> None:
        self.wake: Callable[[], None] = lambda: None
        self.wake_marks: Callable[[], None] = lambda: None
        self._dispatcher = dispatcher
        self._queue = queue
        self._executor = executor
        self._finisher = finisher
        self._time = time
        self._offer = offer
        self._waiting: deque[Claimed] = deque()
        self._running: dict[UUID, tuple[Claimed, asyncio.Task[None]]] = {}
        self._unmarked: list[Claimed] = []
        self._cancelled: set[UUID] = set()
        self._released: set[UUID] = set()
        self._ahead = 0
        self._more = False
        self._claimed_at = 0.0
        self._closed = False

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def worker_id(self) -> UUID:
        return self._offer.worker_id

    def serve(self, worker_id: UUID, handlers: Collection[str]) -> None:
        """From now on claim as this worker, for these handlers."""
        old = self._offer
        self._offer = Offer(worker_id, old.queues, tuple(handlers), old.slots)

    def offer(self, parts: int = 1) -> Offer | None:
        """One of equal `parts` of what this worker can take right now; None when nothing."""
        room = self._offer.slots + self._ahead - len(self._running) - len(self._waiting)
        room //= parts
        if self._closed or room <= 0:
            return None
        return Offer(self._offer.worker_id, self._offer.queues, self._offer.handlers, room)

    async def tick(self) -> timedelta:
        """Claim what fits; when everything that fitted came, there may be more."""
        self._adapt()
        offer = self.offer()
        if offer is None:
            return _IDLE
        claimed = await self._dispatcher.take(offer, await self._time.now())
        self._more = len(claimed) >= offer.slots
        self._claimed_at = monotonic()
        self.accept(claimed)
        return _IDLE

    def accept(self, runs: Sequence[Claimed]) -> None:
        """Take over runs claimed for this worker."""
        if not runs:
            return
        self._waiting.extend(runs)
        self._start()

    async def mark_started(self) -> timedelta:
        """Record the start of runs that have not ended within the blink of an eye."""
        long_ago = self._time.stamp() - MARK_AFTER
        held = [run for run in self._unmarked if run.id in self._running]
        ripe = [run for run in held if run.started_at and run.started_at <= long_ago]
        marked = {run.id for run in ripe}
        self._unmarked = [run for run in held if run.id not in marked]
        await self._queue.started(ripe)
        return MARK_AFTER if self._unmarked else _IDLE

    def cancel(self, ids: Collection[UUID]) -> None:
        """Stop these runs because somebody asked for it."""
        for run_id in ids:
            held = self._running.get(run_id)
            if held is not None and run_id not in self._cancelled:
                self._cancelled.add(run_id)
                held[1].cancel()

    def give_up(self) -> None:
        """Stop everything: the lease is lost, so nothing held here may be finished."""
        self._waiting.clear()
        self._interrupt()

    def close(self) -> None:
        """Take nothing new from now on."""
        self._closed = True

    async def drain(self, grace: timedelta) -> None:
        """Hand back what has not started, let the rest finish, hand back what does not."""
        self.close()
        unstarted = list(self._waiting)
        self._waiting.clear()
        await self._queue.release(unstarted, self._time.stamp())
        tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=grace.total_seconds())
        unfinished = [run for run, _ in self._running.values()]
        stopping = self._interrupt()
        if stopping:
            await asyncio.wait(stopping, timeout=_STOP_SECONDS)
        await self._finisher.flush()
        await self._queue.release(unfinished, self._time.stamp())

    async def idle(self) -> None:
        """Wait until nothing is executing."""
        while self._running:
            await asyncio.wait([task for _, task in self._running.values()])

    def _interrupt(self) -> list[asyncio.Task[None]]:
        """Cancel everything that executes, without an ending: the runs go to others."""
        self._released.update(self._running)
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        return tasks

    def _adapt(self) -> None:
        since = monotonic() - self._claimed_at
        if self._waiting and since > _STALE_SECONDS:
            self._ahead //= 2
        elif not self._waiting and self._more and since < _QUICK_SECONDS:
            self._ahead = min(MOST_AHEAD, max(self._offer.slots, self._ahead * 2))

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and len(self._running) < self._offer.slots:
            run = self._waiting.popleft()
            if not self._unmarked:
                self.wake_marks()
            self._unmarked.append(run)
            self._running[run.id] = (run, loop.create_task(self._run(run)))

    async def _run(self, run: Claimed) -> None:
        try:
            ending = await self._executor.execute(run)
        except asyncio.CancelledError:
            if run.id in self._cancelled:
                ending = await self._executor.end(run, Cancelled())
            elif run.id in self._released:
                return
            else:
                ending = await self._executor.end(run, Failed("the handler cancelled itself"))
        except Exception as error:
            ending = await self._executor.end(run, failure_of(error))
        finally:
            self._running.pop(run.id, None)
            self._cancelled.discard(run.id)
            self._released.discard(run.id)
            self._next()
        self._finisher.add(ending)

    def _next(self) -> None:
        if self._waiting:
            self._start()
        if self._more and not self._closed:
            self.wake()
