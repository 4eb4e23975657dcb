"""One simulated process: the real engine and service over its own wire, which can die any time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, TypeVar, cast

from tests.simulation.database import Meet, SimulatedDatabase, Wire, calm, store_over
from tests.simulation.loop import Lane
from tests.simulation.server import Server
from tests.simulation.stand_ins import monotonic_of
from tests.simulation.work import Execution, Names, Work
from tickwright.dispatch.database import DatabaseDispatcher
from tickwright.engine.hooks import Hooks
from tickwright.engine.runtime import Options, Parts, Runtime
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.errors import StoreUnavailable
from tickwright.model.event import LOOP_FAILED, Event
from tickwright.observe.base import Emitter
from tickwright.service.scheduler import Scheduler

T = TypeVar("T")
_PATIENCE_SECONDS = 1.0
_ANSWER_SECONDS = 3.0
_STOP_SECONDS = 60.0


class Gone(Exception):
    """The process gave no answer: it ended, or it takes too long."""


class Process:
    """A process from its start to its end; `ended` is done when nothing of it is left."""

    def __init__(self, server: Server, lane: Lane, options: Options, names: Sequence[str]) -> None:
        self.server = server
        self.lane = lane
        self.ended: asyncio.Future[None] = server.loop.create_future()
        self.failures: list[str] = []
        self.ready = False
        self._options = options
        self._names = Names(names)
        self._calls: list[asyncio.Future[None]] = []

    def begin(self, chance: Random, into: list[Execution], meet: Meet = calm) -> None:
        """Build it and let it go; `meet` is asked at each step of its way to the database."""
        self.server.loop.spawn(self.lane, self._main(chance, into, meet))

    @property
    def alive(self) -> bool:
        return not self.lane.dead

    def crash(self) -> None:
        """It is gone, at this very place."""
        if self.alive:
            self.server.trace.append((self.server.loop.time(), self.lane.name, "CRASH"))
            self.server.loop.kill(self.lane)
            self.server.abandon(self.lane)
            self._end()

    def freeze(self) -> None:
        self.server.trace.append((self.server.loop.time(), self.lane.name, "FREEZE"))
        self.lane.frozen = True

    def thaw(self) -> None:
        self.server.trace.append((self.server.loop.time(), self.lane.name, "THAW"))
        self.lane.frozen = False
        self.server.thawed()

    async def ask(self, what: Callable[[Scheduler], Awaitable[T]]) -> T:
        """What the process answers; Gone when it dies meanwhile, as a client would see it."""
        if not self.ready or not self.alive:
            raise Gone
        loop = self.server.loop
        gone: asyncio.Future[Any] = loop.create_future()
        self._calls.append(gone)
        answer: asyncio.Future[Any] = loop.spawn(self.lane, _answered(what, self.service))
        try:
            await asyncio.wait(
                {answer, gone}, timeout=_ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            if gone in self._calls:
                self._calls.remove(gone)
        if not answer.done():
            raise Gone
        error, result = answer.result()
        if error is not None:
            raise error
        return cast("T", result)

    async def stop(self) -> None:
        """Drain it as SIGTERM does, and kill it when that takes too long."""
        if self.alive and self.ready:
            self.ready = False
            self.server.loop.spawn(self.lane, self._stop())
            await asyncio.wait({self.ended}, timeout=_STOP_SECONDS)
            if self.alive:
                self.failures.append(f"{self.lane.name} does not stop")
                self.crash()

    async def _main(self, chance: Random, into: list[Execution], meet: Meet) -> None:
        wire = Wire(self.server, self.lane, meet)
        self.runtime = self._built(wire, chance, into)
        self.service = Scheduler(self.runtime, self._names, auto_migrate=False)
        while not self.ready:
            try:
                await self.runtime.start()
            except StoreUnavailable:
                await self.server.loop.pause(_PATIENCE_SECONDS)
            else:
                self.ready = True

    def _built(self, wire: Wire, chance: Random, into: list[Execution]) -> Runtime:
        store = store_over(wire)
        emitter = Emitter()
        emitter.subscribe(self)
        work = Work(self.server, self.lane.name, chance, into)
        return Runtime(
            Parts(
                store=store,
                targets={"handler": work},
                dispatcher=DatabaseDispatcher(store.queue.claim),
                handlers=lambda: self._names.names,
                hooks=Hooks(),
                emitter=emitter,
                time=Timekeeper(SimulatedDatabase(wire), monotonic_of(self.server.loop)),
            ),
            self._options,
        )

    async def _stop(self) -> None:
        await self.runtime.stop()
        self.server.trace.append((self.server.loop.time(), self.lane.name, "STOPPED"))
        await self.server.loop.pause(0)
        self.failures += self.server.loop.unheard(self.lane)
        self.server.loop.kill(self.lane)
        self.server.abandon(self.lane)
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        for gone in self._calls:
            if not gone.done():
                gone.set_result(None)

    # It hears its own events.

    def wants(self, name: str) -> bool:
        return name == LOOP_FAILED

    def receive(self, event: Event) -> None:
        error = str(event.data["error"])
        if not error.startswith(StoreUnavailable.__name__):
            self.failures.append(f"the {event.data['loop']} of {self.lane.name} failed: {error}")


async def _answered(
    what: Callable[[Scheduler], Awaitable[T]], service: Scheduler
) -> tuple[Exception | None, T | None]:
    try:
        return None, await what(service)
    except Exception as error:
        return error, None
