"""Loading for those that work on the tables of Tickwright: it and the floors hold equal rows."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta

from bench import fill
from bench.contenders.base import Contender, Handler, utc
from bench.place import Place


class OnOurTables(Contender):
    """A contender whose load is rows of schedules, cursors and runs.

    `step` is how far a cursor moves when it has fired, which a floor is told instead of
    computing it from the rule.
    """

    loads_per_second = 8_000

    def __init__(self, name: str, place: Place, handler: Handler) -> None:
        super().__init__(name, place, handler)
        self.step = timedelta(days=1)
        self.has_backlog = False
        self.delivers = False

    async def herd(self, count: int, rules: int, due: float) -> None:
        await self._schedules(fill.herd(count, rules, utc(due)))

    async def backlog(self, count: int) -> None:
        await self._backlog(count, {"type": "handler", "name": fill.JOB})

    async def deliveries(self, count: int) -> None:
        self.delivers = True
        endpoint = f"/{self.place.prefix}"
        await self._backlog(count, {"type": "http", "service": "SINK", "endpoint": endpoint})

    async def ticking(self, first: float, seconds: int) -> None:
        self.step = timedelta(seconds=1)
        await self._schedules(fill.ticking(utc(first)), fill.LATENESS_JOB)

    async def spread(self, count: int, per_second: int, first: float, seconds: int) -> None:
        self.step = timedelta(seconds=count // per_second)
        await self._schedules(fill.spread(count, per_second, utc(first)), fill.LATENESS_JOB)

    async def asleep(self, count: int, due: float) -> None:
        await self._schedules(fill.asleep(count, utc(due)))

    async def unfinished(self) -> int:
        return await fill.open_runs(self.place)

    async def _schedules(self, planned: Iterable[fill.Planned], job: str = fill.JOB) -> None:
        await fill.fill_schedules(self.place, planned, utc(time.time()), job)

    async def _backlog(self, count: int, target: dict[str, str]) -> None:
        self.has_backlog = True
        await fill.fill_backlog(self.place, count, target, utc(time.time()))
