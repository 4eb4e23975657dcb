"""A small system in which processes die at given points, one after the other, and one lives on.

Invariant: the load goes on until a victim is dead, so that whatever it waits for comes again.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.faults.judge.history import Fault
from tests.faults.ledger import connected
from tests.faults.world import stillness
from tests.faults.world.embedded import Embedded, Wish, at_second, every_second
from tests.faults.world.processes import Process, command_line, until
from tests.faults.world.system import Settings, System, eventually, now
from tickwright.store.schema import Tables

Dialect = Literal["sqlite", "postgresql"]
RESCUE = "rescue."
_SLOW = 1.1
"""Seconds of work that is still under way when its schedule is due again."""

_LEASE = 3.0
_RETENTION = 1.5
_ATTEMPTS = 20
"""So many that no series of crashes uses them up, and every loss leads to another attempt."""

_PRUNE_EVERY = 0.5
_REACH = 30.0
_GOES_ON = 0.8
_REST = 0.4
_ELDERS = 5
_SURVIVOR = "survivor"
_BY_HAND = "by-hand"
_UNJUDGED = 10.0
"""Seconds at the end of a history that the judge leaves out, lest something was still to come."""


@dataclass(frozen=True)
class Crash:
    """Where a process dies, and the how-manieth time it gets there."""

    point: str
    passes: int = 1

    def __str__(self) -> str:
        return f"{self.point}:{self.passes}"


@dataclass(frozen=True)
class Series:
    """Processes that die one after the other on one database, alone or beside one that lives.

    `mutate` names a planted bug that every process carries.
    """

    dialect: Dialect
    crashes: tuple[Crash, ...]
    beside: bool = False
    mutate: str | None = None

    def __str__(self) -> str:
        where = "beside another" if self.beside else "alone"
        return f"{self.dialect}, {where}: {', '.join(map(str, self.crashes))}"


class Scene(System):
    """One series of crashes on a database of its own; `missed` are those that did not happen."""

    def __init__(self, series: Series, folder: Path, url: str) -> None:
        settings = Settings(
            dialect=series.dialect,
            services=0,
            workers=0,
            lease=_LEASE,
            retention=_RETENTION,
            attempts=_ATTEMPTS,
        )
        super().__init__(settings, folder)
        self.missed: list[Crash] = []
        self._series = series
        self._given = url

    async def play(self) -> None:
        """From the first schedule to the last run."""
        async with AsyncExitStack() as stack:
            client = Embedded(self.url, self.sink.url, self.operations)
            stack.push_async_callback(client.close)
            await stack.enter_async_context(stillness.noted(self.faults))
            look = Look(*await stack.enter_async_context(connected(self.url)))
            if self._series.beside:
                await self._start(_SURVIVOR)
            for crash in self._series.crashes:
                if crash.point.startswith(RESCUE):
                    await self._lose_one(client, look)
                await self._dies(crash, client)
            if not self._series.beside:
                await self._start(_SURVIVOR)
                self.faults.append(Fault("nobody lives on", "all", self.exits[0].at, now()))
            await asyncio.sleep(_GOES_ON)
            await self._come_to_rest(client, look)
        await self.stop()

    async def _lose_one(self, client: Embedded, look: Look) -> None:
        """Kill processes until one was killed while it held a started run."""
        for _ in range(_ELDERS):
            elder = await self._start(f"elder-{len(self.exits)}")
            await self._fill(client)
            assert await eventually(look.started, _REACH), f"nothing starts:\n{elder.log}"
            at = now()
            elder.kill()
            self.faults.append(Fault("kill", elder.name, at, now()))
            if await look.started():
                return

    async def _dies(self, crash: Crash, client: Embedded) -> None:
        """Keep all kinds of work coming until the victim is dead."""
        victim = await self._start(f"victim-{len(self.exits)}", crash)
        await self._fill(client)
        given_up = time.monotonic() + _REACH
        while victim.alive and time.monotonic() < given_up:
            await client.trigger(_BY_HAND)
            await client.create(Wish(f"once-{len(self.operations)}", at_second(now() + 2), {}))
            await asyncio.sleep(_REST)
        if victim.alive or f"dies at {crash.point}" not in victim.log:
            self.missed.append(crash)
        victim.end()
        at = self.exits[-1].at
        self.faults.append(Fault("crash", victim.name, at, at, {"point": crash.point}))

    async def _fill(self, client: Embedded) -> None:
        """Create the schedules once somebody is there, so that none of them begins late."""
        if self.operations:
            return
        for wish in (
            Wish("quick", every_second(), {}),
            Wish("slow", every_second(), {"delay": _SLOW}, overlap="skip"),
            Wish("flaky", every_second(), {"status": 503, "attempts": 1}),
            Wish("few", {"type": "cron", "expression": "* * * * * *"}, {}, max_runs=3),
            Wish(_BY_HAND, {"type": "interval", "every": "7d"}, {}),
        ):
            await client.create(wish)

    async def _come_to_rest(self, client: Embedded, look: Look) -> None:
        """Pause while nothing is overdue, so that what is to come is what the pause takes away."""
        for key in ("quick", "slow", "flaky", _BY_HAND):
            await eventually(look.nothing_overdue, self.settings.patience)
            await client.pause(key)
        await eventually(look.quiet, self.settings.patience)
        # Nothing is to come any more: however long one waited, nothing more would be decided.
        self.quiet_at = now() + _UNJUDGED

    async def _start(self, name: str, crash: Crash | None = None) -> Process:
        """A process that is at work, if it has not died by then."""
        args = command_line(
            "worker", die_at=crash, mutate=self._series.mutate, prune_every=_PRUNE_EVERY
        )
        process = Process(
            name,
            args,
            self.folder,
            self._environment(name),
            self.exits,
            doomed=crash is not None,
            forked=True,
        )
        self.processes[name] = process
        await until(lambda: not process.alive or "the engine runs" in process.log, _REACH, name)
        return process

    async def _database(self, stack: AsyncExitStack) -> str:
        return self._given


class Look:
    """Questions to the database, on one connection for the whole scene."""

    def __init__(self, connection: AsyncConnection, tables: Tables) -> None:
        self._connection = connection
        self._tables = tables

    async def started(self) -> bool:
        """Whether a slow run is under way, or was left so, and marked."""
        runs, schedules = self._tables.runs, self._tables.schedules
        return await self._any(
            runs.c.status == "running",
            runs.c.started_at.is_not(None),
            runs.c.schedule_id == schedules.c.id,
            schedules.c.key == "slow",
        )

    async def nothing_overdue(self) -> bool:
        cursors = self._tables.cursors
        soon = datetime.fromtimestamp(now() + 0.1, UTC)
        return not await self._any(cursors.c.next_run_at <= soon)

    async def quiet(self) -> bool:
        """Whether no run is open and nothing is to come."""
        runs, cursors = self._tables.runs, self._tables.cursors
        return not (
            await self._any(runs.c.status.in_(("queued", "running")))
            or await self._any(cursors.c.next_run_at.is_not(None))
        )

    async def _any(self, *conditions: sa.ColumnElement[bool]) -> bool:
        asked = sa.select(sa.exists().where(*conditions))
        found = bool((await self._connection.execute(asked)).scalar_one())
        await self._connection.rollback()
        return found
