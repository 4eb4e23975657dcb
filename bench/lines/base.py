"""The shape of one measured line: its variants, its figures, its budgets, and how to measure it.

`measure` runs in the contender's own process. It returns numbers by the keys of the figures, and
others that are only kept in the results.
"""

from __future__ import annotations

import asyncio
import gc
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bench.contenders import BY_NAME, Member, Role
from bench.contenders.base import Contender, Handler
from bench.place import DIALECTS, Place

Sample = dict[str, float]
_LOOK_SECONDS = 0.02
_MARGIN_SECONDS = 2.0
_LONG_MARGIN_SECONDS = 15.0


class Incomplete(Exception):
    """The contender did not do all of its work."""


class TooLate(Exception):
    """Something was due before the contender was ready; with more `patience` it may not be."""


class Against(StrEnum):
    NOTHING = "the value itself"
    FLOOR = "its ratio to the floor"
    FIRST = "its ratio to the first variant"


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit for our median: the most, or for what is better when higher the least."""

    limit: float
    against: Against = Against.NOTHING
    dialects: tuple[str, ...] = DIALECTS
    variant: int | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a line, as it is shown."""

    key: str
    title: str
    unit: str = "s"
    digits: int = 2
    higher_is_better: bool = False
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """How much is asked: `short` only shows that everything works."""

    short: bool
    schedules: int


@dataclass(frozen=True, slots=True)
class Variant:
    """One size of a line; `peers_at_most` bounds what peers are loaded with."""

    label: str
    options: Mapping[str, Any] = field(default_factory=dict)
    only_recurring: bool = False
    alone: bool = False
    """Measured with ours only: what it is compared with runs in the same process."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a measure needs to know: whom it measures, where, and how much."""

    contender: str
    place: Place
    options: Mapping[str, Any]
    patience: bool = False

    @property
    def member(self) -> Member:
        return BY_NAME[self.contender]

    def start(self, contender: Contender, count: int) -> float:
        """A whole second by which `count` schedules are loaded and the contender works."""
        margin = _LONG_MARGIN_SECONDS if self.patience else _MARGIN_SECONDS
        return math.ceil(time.time() + margin + count / contender.loads_per_second)

    def capped(self, count: int) -> int:
        """`count`, or what a peer is loaded with at most."""
        most = int(self.options.get("peers_at_most", count))
        return min(count, most) if self.member.role is Role.PEER else count

    @asynccontextmanager
    async def opened(self, handler: Handler) -> AsyncIterator[Contender]:
        """The contender with its tables, to be loaded."""
        contender = self.member.load()(self.contender, self.place, handler)
        try:
            await contender.install()
            yield contender
        finally:
            await contender.close()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table of budgets."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    variants: Callable[[Form], Sequence[Variant]]
    measure: Callable[[Task], Awaitable[Sample]]


def be_in_time(due: float) -> None:
    late = time.time() - due
    if late > 0:
        raise TooLate(f"it was not ready for what was due {late:.1f} s before")


def quiet() -> None:
    """Take what was loaded out of the garbage collector's sight, for every contender alike."""
    gc.collect()
    gc.freeze()


async def until(done: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise Incomplete(f"{what} within {seconds:g} s")
        await asyncio.sleep(_LOOK_SECONDS)


async def until_recorded(contender: Contender, seconds: float) -> float:
    """When everything that was due is recorded as done."""
    deadline = time.monotonic() + seconds
    while left := await contender.unfinished():
        if time.monotonic() > deadline:
            raise Incomplete(f"{left} are not recorded as done after {seconds:g} s")
        await asyncio.sleep(_LOOK_SECONDS)
    return time.time()


def percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]
