"""What the engine's tests share: work that can be held and let go, and ears for events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tickwright import RunContext, tenant
from tickwright.model.event import Event
from tickwright.model.run import Run, RunStatus
from tickwright.model.scope import Scope
from tickwright.service.scheduler import RunQuery, Scheduler
from tickwright.testing import ManualScheduler

START = datetime(2040, 1, 2, 9, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
DAY = timedelta(days=1)
LEASE = timedelta(seconds=45)
ACME, OTHER = tenant("acme"), tenant("other")
PATIENCE = 30.0
"""Seconds of real time after which a test gives up waiting for an event."""


@dataclass
class Work:
    """A handler that notes its calls and answers as it is told; `hold` makes it wait."""

    does: Callable[[], Any] = lambda: None
    calls: list[RunContext] = field(default_factory=list)
    payloads: list[Any] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    _go: asyncio.Event | None = None

    async def __call__(self, tenant_id: str, payload: Any, ctx: RunContext) -> Any:
        self.calls.append(ctx)
        self.payloads.append((tenant_id, payload))
        self.begun.set()
        if self._go is not None:
            try:
                await self._go.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        return self.does()

    @property
    def times(self) -> list[datetime]:
        """The instants it was called for."""
        return [call.nominal_at for call in self.calls]

    @property
    def attempts(self) -> list[int]:
        return [call.attempt for call in self.calls]

    def hold(self) -> None:
        """From now on calls begin, and end only after `let_go`."""
        self._go = asyncio.Event()
        self.begun.clear()
        self.cancelled.clear()

    def let_go(self) -> None:
        assert self._go is not None
        self._go.set()
        self._go = None


def failing() -> Work:
    return Work(does=_boom)


def _boom() -> None:
    raise ValueError("boom")


@dataclass
class Heard:
    """A subscriber that keeps what it hears."""

    events: list[Event] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def wants(self, name: str) -> bool:
        return True

    def receive(self, event: Event) -> None:
        self.events.append(event)
        self.arrived.set()

    async def until(self, name: str, count: int = 1) -> None:
        """Wait until that many events of this name were heard."""
        while len(self.of(name)) < count:
            self.arrived.clear()
            await within(self.arrived.wait())

    def names(self, *prefixes: str) -> list[str]:
        """Short names in order: `run.started`."""
        short = [event.name.removeprefix("scheduler.") for event in self.events]
        return [name for name in short if name.startswith(prefixes or ("",))]

    def of(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == f"scheduler.{name}"]


def listen(scheduler: Scheduler) -> Heard:
    heard = Heard()
    scheduler._runtime.parts.emitter.subscribe(heard)
    return heard


@asynccontextmanager
async def under_way(scheduler: ManualScheduler, work: Work) -> AsyncIterator[None]:
    """Inside the block the work of one tick is held; afterwards it ends and so does the tick."""
    work.hold()
    ticking = asyncio.create_task(scheduler.tick())
    try:
        await within(work.begun.wait())
        yield
    finally:
        if work._go is not None:
            work.let_go()
        await within(ticking)


async def within(awaited: Awaitable[Any]) -> Any:
    """Its answer; a failure instead of a test that never ends."""
    async with asyncio.timeout(PATIENCE):
        return await awaited


async def runs_of(scheduler: Scheduler, key: str | None = None, scope: Scope = ACME) -> list[Run]:
    """The runs of one schedule, or of the whole scope, the oldest instant first."""
    query = RunQuery(limit=10_000)
    if key is not None:
        schedule = await scheduler.get_schedule(scope, key)
        query = RunQuery(limit=10_000, schedule_id=schedule.id)
    page = await scheduler.find_runs(scope, query)
    return sorted(page.items, key=lambda run: (run.nominal_at, run.id))


async def the_run(scheduler: Scheduler, key: str, scope: Scope = ACME) -> Run:
    [run] = await runs_of(scheduler, key, scope)
    return run


def outcomes(runs: list[Run]) -> list[tuple[RunStatus, str | None, int]]:
    return [(run.status, run.reason, run.count) for run in runs]
