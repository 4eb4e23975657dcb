"""Time, chance, ids and names of processes, replaced in the scheduler's modules from outside.

Invariant: while a seed runs, nothing the scheduler decides by depends on the machine it runs on.
"""

from __future__ import annotations

import logging
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import UUID

from tests.simulation.loop import LANE, VirtualLoop
from tests.simulation.server import START
from tickwright.engine import finisher, planner, planning, pruner, rescuer, runtime
from tickwright.model.errors import StoreUnavailable
from tickwright.store.database import new_id

_ROOMS = ("tickwright.engine", "tickwright.service", "tickwright.store")
_LOGGER = logging.getLogger("tickwright")
_START_MS = int(START.timestamp() * 1000)
_PRUNE_EVERY = timedelta(seconds=2)
_PRUNE_LEASE = timedelta(seconds=4)
_BATCHED = (finisher, planner, pruner, rescuer)


@dataclass(frozen=True)
class Scale:
    """What is made smaller, so that a short life sees what else takes thousands or hours."""

    prunes: bool = False
    batch: int | None = None
    moments: int | None = None


def monotonic_of(loop: VirtualLoop) -> Callable[[], float]:
    """Each process's own monotonic clock: it began to count when its machine was started."""

    def monotonic() -> float:
        return loop.time() + LANE.get().offset

    return monotonic


def _ids(loop: VirtualLoop, chance: Random) -> Callable[[], UUID]:
    def made() -> UUID:
        milliseconds = _START_MS + int(loop.time() * 1000)
        bits = chance.getrandbits(74)
        high = (milliseconds << 80) | (0x7 << 76) | ((bits >> 62) << 64)
        return UUID(int=high | (0x2 << 62) | (bits & ((1 << 62) - 1)))

    return made


@cache
def _users(thing: object) -> list[tuple[ModuleType, str]]:
    """Where the scheduler knows `thing`, and by which name."""
    return [
        (module, name)
        for key, module in sorted(sys.modules.items())
        if key.startswith(_ROOMS) and "postgres" not in key
        for name, value in vars(module).items()
        if value is thing
    ]


class _Errors(logging.Handler):
    """Keeps what the scheduler logs as an error; that the database is away is none."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, StoreUnavailable):
            self._kept.append(f"{record.getMessage()}: {error!r}")


@contextmanager
def standing_in(
    loop: VirtualLoop, chance: Random, errors: list[str], scale: Scale
) -> Iterator[None]:
    """For the length of one seed."""
    replaced: list[tuple[Any, str, Any]] = [
        *((*user, monotonic_of(loop)) for user in _users(time.monotonic)),
        *((*user, _ids(loop, chance)) for user in _users(new_id)),
        *((*user, chance) for user in _users(random)),
        (runtime, "os", SimpleNamespace(getpid=lambda: LANE.get().pid)),
        (runtime, "socket", SimpleNamespace(gethostname=lambda: LANE.get().name)),
    ]
    if scale.prunes:
        replaced += [(pruner, "_EVERY", _PRUNE_EVERY), (pruner, "_LEASE", _PRUNE_LEASE)]
    if scale.batch is not None:
        replaced += [(module, "BATCH", scale.batch) for module in _BATCHED]
    if scale.moments is not None:
        replaced.append((planning, "MAX_MOMENTS", scale.moments))
    before = [(module, name, getattr(module, name)) for module, name, _ in replaced]
    handler, propagate = _Errors(errors), _LOGGER.propagate
    _set(replaced)
    _LOGGER.addHandler(handler)
    _LOGGER.propagate = False
    try:
        yield
    finally:
        _LOGGER.propagate = propagate
        _LOGGER.removeHandler(handler)
        _set(before)


def _set(values: list[tuple[Any, str, Any]]) -> None:
    for module, name, value in values:
        setattr(module, name, value)
