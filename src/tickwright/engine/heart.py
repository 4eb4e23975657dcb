"""Renewing the worker's lease apart from its handlers, and bringing back cancel requests.

Invariant: a worker that cannot renew its lease stops its own work before others take it over.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from uuid import UUID

from tickwright.model.clock import Clock
from tickwright.model.errors import StoreUnavailable
from tickwright.model.worker import Worker
from tickwright.store.base import Store, Workers

_log = logging.getLogger("tickwright.heart")
_RETRY = timedelta(seconds=1)
_JOIN_SECONDS = 3.0
_SHORTEST_RETRY = timedelta(milliseconds=10)


class Heart:
    """One worker's heartbeat.

    `cancel` is called with runs that somebody asked to stop, `lost` with the worker whose lease is
    over. Both are called from whatever thread beats, so they must be safe to call from there.
    """

    def __init__(
        self,
        worker: Callable[[], Worker],
        lease: timedelta,
        cancel: Callable[[Collection[UUID]], None],
        lost: Callable[[UUID], None],
    ) -> None:
        self._worker = worker
        self._lease = lease
        self._cancel = cancel
        self._lost = lost
        self._beaten_at = monotonic()

    @property
    def every(self) -> timedelta:
        return min(self._lease / 4, timedelta(seconds=10))

    async def beat(self, workers: Workers, clock: Clock) -> timedelta:
        """Renew once; how long until the next time."""
        started, worker = monotonic(), self._worker()
        renewing = asyncio.create_task(self._renew(worker, workers, clock))
        renewing.add_done_callback(_forget_error)
        try:
            # A database that hangs must not keep this worker from noticing that its time is up.
            patience = self._left if self._left > timedelta(0) else self.every
            await asyncio.wait({renewing}, timeout=patience.total_seconds())
            if not renewing.done():
                return self._missed(worker.id, "the database does not answer")
            asked = renewing.result()
        except StoreUnavailable as error:
            return self._missed(worker.id, str(error))
        finally:
            renewing.cancel()
        self._beaten_at = started
        if asked is None:
            self._lost(worker.id)
        elif asked:
            self._cancel(asked)
        return self.every

    async def _renew(
        self, worker: Worker, workers: Workers, clock: Clock
    ) -> Collection[UUID] | None:
        return await workers.beat(worker, await clock.now(), self._lease)

    @property
    def _left(self) -> timedelta:
        """How long this worker may still count on its lease, short of a margin."""
        return self._lease * 4 / 5 - timedelta(seconds=monotonic() - self._beaten_at)

    def _missed(self, worker_id: UUID, reason: str) -> timedelta:
        if self._left <= timedelta(0):
            _log.warning("the lease cannot be renewed, giving up what is held: %s", reason)
            self._beaten_at = monotonic()
            self._lost(worker_id)
        return min(self.every, _RETRY, max(self._left, _SHORTEST_RETRY))


def _forget_error(renewing: asyncio.Task[Collection[UUID] | None]) -> None:
    """Whoever gave up waiting has no use for it."""
    if not renewing.cancelled():
        renewing.exception()


class HeartThread:
    """Beats in a thread with a connection of its own, so that no handler can hold it up."""

    def __init__(self, heart: Heart, open_store: Callable[[], Store]) -> None:
        self._heart = heart
        self._open_store = open_store
        self._thread = threading.Thread(target=self._main, name="tickwright-heart", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._stopping = False

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Beat now; safe from any thread."""
        if self._loop is not None and self._wake is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake.set)

    async def stop(self) -> None:
        """End the thread; one whose database hangs is left to end by itself."""
        self._stopping = True
        self.wake()
        await asyncio.to_thread(self._thread.join, _JOIN_SECONDS)

    def _main(self) -> None:
        asyncio.run(self._beat_until_stopped())

    async def _beat_until_stopped(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        store = self._open_store()
        try:
            while not self._stopping:
                await self._once(store)
        finally:
            await store.close()

    async def _once(self, store: Store) -> None:
        assert self._wake is not None
        self._wake.clear()
        try:
            delay = await self._heart.beat(store.workers, store.clock)
        except Exception:
            _log.exception("the heartbeat failed")
            delay = _RETRY
        with suppress(TimeoutError):
            async with asyncio.timeout(delay.total_seconds()):
                await self._wake.wait()
