"""The contract of whatever is measured: how it is loaded, and how it works off its load."""

from __future__ import annotations

import asyncio
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from bench.place import POSTGRES, Place

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Handler = Callable[[float | None], Awaitable[None]]


def utc(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def micros(moment: datetime) -> int:
    """How SQLite stores a moment."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Inside the block this work goes on; what ended it by itself is raised at the end."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        failed = [t for t in tasks if t.done() and not t.cancelled() and t.exception()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in failed:
            task.result()


class Contender(ABC):
    """One scheduler under measurement, in a process of its own, on a database of its own.

    It is loaded first: with schedules that are due at an instant (`herd`), each second
    (`ticking`), evenly spread (`spread`) or much later (`asleep`), or with runs that wait
    (`backlog`, `deliveries`). Then, inside `working`, it calls `handler` at the start of each
    piece of work with the moment that was due, or None where it cannot know. Moments are seconds
    since the epoch. A `patient` one has no work to expect, and its defaults hold.
    """

    package: ClassVar[str]
    """The statement that imports the package."""
    imports: ClassVar[str]
    """The statement with which an application begins."""
    loads_per_second: ClassVar[int] = 5_000
    """How fast loading is at least; what is due must not be so before it is loaded."""
    share: ClassVar[float] = 1.0
    """Which part of a backlog it gets: slow ones get less, which a rate does not suffer from."""

    def __init__(self, name: str, place: Place, handler: Handler) -> None:
        self.name = name
        self.place = place
        self.handler = handler
        self.patient = False

    async def install(self) -> None:  # noqa: B027 - most have their tables already
        """Make its tables in an empty database."""

    def prepare(self) -> None:  # noqa: B027 - most are ready to work as they are
        """Do beforehand what takes its time and has nothing to do with working."""

    async def close(self) -> None:  # noqa: B027 - most hold nothing outside `working`
        """Let go of what loading opened."""

    @abstractmethod
    async def herd(self, count: int, rules: int, due: float) -> None: ...

    @abstractmethod
    async def backlog(self, count: int) -> None: ...

    async def deliveries(self, count: int) -> None:
        """Runs that each post to the sink; by default it is the handler that posts."""
        await self.backlog(count)

    @abstractmethod
    async def ticking(self, first: float, seconds: int) -> None: ...

    @abstractmethod
    async def spread(self, count: int, per_second: int, first: float, seconds: int) -> None:
        """`count` schedules, `per_second` of them due in each of the `seconds` after `first`."""

    @abstractmethod
    async def asleep(self, count: int, due: float) -> None: ...

    @abstractmethod
    def working(self) -> AbstractAsyncContextManager[None]:
        """Inside the block the scheduler is ready and works."""

    @abstractmethod
    async def unfinished(self) -> int:
        """How much of what was due is not recorded as done."""

    async def store_seconds(self) -> dict[int, float]:
        """CPU seconds of the store's processes by their ids; empty where the store is a file."""
        from bench.meter import backend_seconds

        return await backend_seconds(self.place) if self.place.dialect == POSTGRES else {}

    def ready_command(self) -> list[str]:
        """A command that starts this scheduler, says `ready` and stays until its input ends."""
        task = {"contender": self.name, "place": asdict(self.place)}
        return [sys.executable, "-m", "bench.child", json.dumps(task)]


class OneShots(Contender):
    """A queue without recurring schedules of its own rate: each firing is a job with a due time.

    That is less work than a schedule that is advanced, so it favours the peer.
    """

    @abstractmethod
    async def load(self, dues: list[float | None]) -> None:
        """Jobs that are due at these moments, or at once."""

    async def herd(self, count: int, rules: int, due: float) -> None:
        await self.load([due] * count)

    async def backlog(self, count: int) -> None:
        await self.load([None] * count)

    async def ticking(self, first: float, seconds: int) -> None:
        await self.load([first + n for n in range(seconds)])

    async def spread(self, count: int, per_second: int, first: float, seconds: int) -> None:
        due = min(count, per_second * seconds)
        await self.load([first + n / per_second for n in range(due)])
        await self.asleep(count - due, first + 86_400)

    async def asleep(self, count: int, due: float) -> None:
        await self.load([due] * count)
