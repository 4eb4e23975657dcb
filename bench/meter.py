"""Reading how much CPU a process and its store have used; the reading itself is cheap."""

from __future__ import annotations

import time
from dataclasses import dataclass

import asyncpg
import psutil

from bench.contenders.base import Contender
from bench.place import POSTGRES, Place


async def backend_seconds(place: Place) -> dict[int, float]:
    """CPU seconds of the PostgreSQL processes that serve this database, if they run here."""
    admin = await asyncpg.connect(place.admin_url)
    try:
        rows = await admin.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = $1", _database(place)
        )
    finally:
        await admin.close()
    return {row["pid"]: seconds_of(row["pid"]) for row in rows}


async def transactions(place: Place) -> int:
    """How many transactions this database has seen."""
    if place.dialect != POSTGRES:
        return 0
    admin = await asyncpg.connect(place.admin_url)
    try:
        return int(
            await admin.fetchval(
                "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1",
                _database(place),
            )
        )
    finally:
        await admin.close()


def seconds_of(pid: int) -> float:
    """CPU seconds of a process; none for one that has ended or runs elsewhere."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Cost:
    """What was used between two readings, in seconds."""

    app: float
    store: float
    wall: float


class Meter:
    """Measures this process, or another one, and the store of `contender`."""

    def __init__(self, contender: Contender, pid: int | None = None) -> None:
        self._contender = contender
        self._pid = pid
        self._store: dict[int, float] = {}
        self._app = 0.0
        self._at = 0.0

    async def start(self) -> None:
        self._store = await self._contender.store_seconds()
        self._app, self._at = self._own(), time.monotonic()

    async def stop(self) -> Cost:
        app, wall = self._own() - self._app, time.monotonic() - self._at
        after = await self._contender.store_seconds()
        store = sum(max(0.0, used - self._store.get(pid, 0.0)) for pid, used in after.items())
        return Cost(app, store, wall)

    def _own(self) -> float:
        return time.process_time() if self._pid is None else seconds_of(self._pid)


def _database(place: Place) -> str:
    return place.prefix
