"""One process's engine: its duties, wired, started, woken and drained.

Invariant: what was started is stopped, in reverse, whatever fails on the way.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from tickwright.dispatch.base import Dispatcher
from tickwright.engine.breaker import Breaker
from tickwright.engine.executor import Executor
from tickwright.engine.finisher import Finisher
from tickwright.engine.heart import Heart, HeartThread
from tickwright.engine.hooks import Hooks
from tickwright.engine.loop import Loop, Tick
from tickwright.engine.planner import Planner
from tickwright.engine.pruner import Pruner
from tickwright.engine.reporter import Reporter
from tickwright.engine.rescuer import Rescuer
from tickwright.engine.runner import Runner
from tickwright.engine.sla import Sla
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.errors import StoreUnavailable
from tickwright.model.event import WORKER_REGISTERED, Event
from tickwright.model.worker import Worker, WorkerStatus
from tickwright.observe.base import Emitter
from tickwright.store.base import Offer, Store
from tickwright.store.database import new_id
from tickwright.targets.base import Target

_log = logging.getLogger("tickwright.runtime")
_STOP_SECONDS = 1.0
_RETURN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """How one process's engine behaves; durations as `timedelta`."""

    version: str = "0"
    queues: tuple[str, ...] = ("default",)
    slots: int = 100
    poll: timedelta = timedelta(seconds=30)
    lease: timedelta = timedelta(seconds=45)
    sweep: timedelta = timedelta(seconds=5)
    grace: timedelta = timedelta(seconds=30)
    keep_runs: timedelta = timedelta(days=7)
    keep_last: int = 1000


@dataclass(frozen=True, slots=True)
class Parts:
    """What a runtime is made of; `handlers` tells which names this process serves by now.

    `open_store` opens a second store for the heartbeat's thread; without it the heartbeat is a
    loop among the others.
    """

    store: Store
    targets: Mapping[str, Target]
    dispatcher: Dispatcher
    handlers: Callable[[], Collection[str]]
    hooks: Hooks
    emitter: Emitter
    time: Timekeeper
    open_store: Callable[[], Store] | None = None


class Runtime:
    """Plans, executes, rescues and prunes, until it is stopped.

    `duties` are what else this process does beside; whoever wires it adds them.
    """

    def __init__(self, parts: Parts, options: Options) -> None:
        self.parts = parts
        self.options = options
        self.running = False
        store, emitter, time = parts.store, parts.emitter, parts.time
        self._worker_id = new_id()
        self._status = WorkerStatus.ONLINE
        offer = Offer(self._worker_id, options.queues, (), options.slots)
        self.finisher = Finisher(store.queue, emitter, time, self.wake)
        self.reporter = Reporter(store.reporting, time)
        self.finisher.before = self.reporter.flush_of
        executor = Executor(parts.targets, parts.hooks, emitter, self.reporter, time)
        self.runner = Runner(parts.dispatcher, store.queue, executor, self.finisher, time, offer)
        self.planner = Planner(store, self.runner, emitter, time, options.poll)
        self.finisher.herd = self.planner.herd
        self.rescuer = Rescuer(store, self.finisher, parts.hooks, emitter, time, options.sweep)
        self.pruner = Pruner(
            store, time, lambda: self._worker_id, options.keep_runs, options.keep_last
        )
        self.breaker = Breaker(store.schedules, emitter, time, options.sweep)
        self.sla = Sla(store.queue, emitter, time, options.sweep)
        executor.tell_begun, self.runner.tell_slow = self.sla.begun, self.sla.slow
        self.heart = Heart(self._worker, options.lease, self._cancel, self._lease_lost)
        self._heart_thread: HeartThread | None = None
        self._main: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._returning: asyncio.Task[None] | None = None
        self._by_hand = True
        self.loops: dict[str, Loop] = {}
        self.duties: dict[str, Tick] = {}

    @property
    def worker_id(self) -> UUID:
        return self._worker_id

    async def start(self) -> None:
        """Do what was added to the duties once, register as a worker and begin all of them."""
        for tick in self.duties.values():
            await tick()
        self._main = asyncio.get_running_loop()
        self._status, self._by_hand = WorkerStatus.ONLINE, False
        self.runner.open()
        await self.register()
        self._add("planner", self.planner.tick)
        self._add("runner", self.runner.tick)
        self._add("finisher", self.finisher.tick)
        self._add("reporter", self.reporter.tick)
        self._add("marks", self.runner.mark_started)
        self._add("rescuer", self.rescuer.tick)
        self._add("breaker", self.breaker.tick)
        self._add("sla", self.sla.tick)
        self._add("pruner", self.pruner.tick)
        for name, tick in self.duties.items():
            self._add(name, tick)
        self._start_heart()
        self.runner.wake = self.loops["runner"].wake
        self.runner.wake_marks = self.loops["marks"].wake
        self.finisher.wake = self.loops["finisher"].wake
        self.finisher.wake_breaker = self.loops["breaker"].wake
        told = self.loops["reporter"].wake
        self.reporter.wake = partial(self._main.call_soon_threadsafe, told)
        self.rescuer.wake_runner = self.loops["runner"].wake
        self._tasks = [asyncio.create_task(loop.run()) for loop in self.loops.values()]
        self._tasks.append(asyncio.create_task(self._watch()))
        self.running = True

    async def stop(self) -> None:
        """Drain: claim nothing more, let runs finish within the grace time, hand back the rest."""
        self.running = False
        self._status = WorkerStatus.DRAINING
        self.runner.close()
        try:
            await self.runner.drain(self.options.grace)
        except Exception:
            _log.exception("draining failed; the leases end by themselves")
        await self._stop_loops()
        with suppress(Exception):
            await self.finisher.flush()
            await self.runner.recall()
            await self.parts.store.workers.mark(self._worker_id, WorkerStatus.OFFLINE)
        await self.close_targets()

    async def close_targets(self) -> None:
        for name, target in self.parts.targets.items():
            try:
                await target.close()
            except Exception:
                _log.exception("the %s target could not be closed", name)

    def wake(self, topic: str) -> None:
        """Something changed: `due` looks at schedules again, `ready` at runs, `cancel` at both."""
        names = {"due": ["planner"], "ready": ["runner"], "cancel": ["heart"]}.get(topic, [])
        for name in names:
            if name in self.loops:
                self.loops[name].wake()
        if topic == "cancel" and self._heart_thread is not None:
            self._heart_thread.wake()

    def serve(self) -> None:
        """Look again which handlers this process has: one was registered."""
        self.runner.serve(self._worker_id, self.parts.handlers())
        self.wake("ready")

    async def tick(self) -> None:
        """One round of every duty, for callers that drive time themselves."""
        store = self.parts.store
        for tick in self.duties.values():
            await tick()
        await self.heart.beat(store.workers, store.clock)
        if self._returning is not None:
            await self._returning
        await self.rescuer.tick()
        await self.planner.tick()
        while self.planner.herd():
            await self.planner.tick()
        await self.sla.tick()
        while await self._work_off():
            pass
        await self.breaker.tick()
        await self.pruner.tick()

    async def _work_off(self) -> bool:
        """Do what the slots take; whether there was anything, for then there may be more."""
        await self.runner.tick()
        worked = bool(self.runner.running or self.finisher.unwritten)
        await self.runner.idle()
        await self.finisher.flush()
        return worked

    async def register(self) -> None:
        """Announce a new worker without starting its loops, for callers that drive time."""
        await self._register(new_id())
        try:
            for target in self.parts.targets.values():
                await target.open()
        except BaseException:
            await self.close_targets()
            raise

    async def crash(self) -> None:
        """Forget everything held, as a killed process does, and come back as a new worker."""
        await self.runner.mark_started(timedelta(0))
        self.runner.give_up()
        await self.runner.idle()
        await self._register(new_id())

    def _add(self, name: str, tick: Tick) -> None:
        self.loops[name] = Loop(name, tick, self.parts.emitter, self.parts.time)

    def _start_heart(self) -> None:
        if self.parts.open_store is not None:
            self._heart_thread = HeartThread(self.heart, self.parts.open_store)
            self._heart_thread.start()
            return
        store = self.parts.store
        self._add("heart", lambda: self.heart.beat(store.workers, store.clock))

    async def _stop_loops(self) -> None:
        tasks = [*self._tasks, *([self._returning] if self._returning else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._heart_thread is not None:
            await self._heart_thread.stop()

    async def _watch(self) -> None:
        while True:
            try:
                await self.parts.store.watch(self.wake)
            except Exception:
                _log.exception("other processes' changes are not noticed for a moment")
            await asyncio.sleep(_RETURN_SECONDS)

    async def _register(self, worker_id: UUID) -> None:
        now = await self.parts.time.now()
        worker = replace(
            self._worker(),
            id=worker_id,
            started_at=now,
            heartbeat_at=now,
            lease_until=now + self.options.lease,
        )
        await self.parts.store.workers.register(worker)
        self._worker_id = worker_id
        self.runner.serve(self._worker_id, self.parts.handlers())
        data = {"workerId": str(worker.id), "host": worker.host, "pid": worker.pid}
        self.parts.emitter.emit(Event(WORKER_REGISTERED, now, data=data))

    def _worker(self) -> Worker:
        now = self.parts.time.stamp()
        host = socket.gethostname()
        return Worker(
            id=self._worker_id,
            name=f"{host}:{os.getpid()}",
            host=host,
            pid=os.getpid(),
            version=self.options.version,
            queues=self.options.queues,
            handlers=tuple(self.parts.handlers()),
            slots=self.options.slots,
            status=self._status,
            started_at=now,
            heartbeat_at=now,
            lease_until=now,
            running=self.runner.running,
        )

    def _cancel(self, ids: Collection[UUID]) -> None:
        self._on_main(lambda: self.runner.cancel(ids))

    def _lease_lost(self, worker_id: UUID) -> None:
        self._on_main(lambda: self._start_over(worker_id))

    def _on_main(self, act: Callable[[], None]) -> None:
        if self._by_hand:
            act()
        elif self._main is not None and self.running:
            with suppress(RuntimeError):
                self._main.call_soon_threadsafe(act)

    def _start_over(self, worker_id: UUID) -> None:
        """The lease is lost: stop all work, and come back as a new worker."""
        under_way = self._returning is not None and not self._returning.done()
        if worker_id == self._worker_id and not under_way:
            self._returning = asyncio.create_task(self._return(self.runner.give_up()))

    async def _return(self, stopping: Collection[asyncio.Task[None]]) -> None:
        if stopping:
            await asyncio.wait(stopping, timeout=_STOP_SECONDS)
        while self.running or self._by_hand:
            try:
                # Said aloud, so that others need not wait for the lease's end to take over.
                await self.parts.store.workers.mark(self._worker_id, WorkerStatus.OFFLINE)
                await self._register(new_id())
            except StoreUnavailable:
                await asyncio.sleep(_RETURN_SECONDS)
            except Exception:
                _log.exception("registering again failed")
                await asyncio.sleep(_RETURN_SECONDS)
            else:
                self.wake("ready")
                return
