"""Everything that goes wrong in one seed: what, when and to whom, drawn and written down."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.faults.judge.history import Exit, Fault
from tests.simulation.database import Meet
from tests.simulation.process import Process
from tests.simulation.server import START, Server, Weather
from tickwright.model.errors import StoreUnavailable

AT_A_STEP = ("crash", "freeze", "cut")
AT_A_TIME = {
    "kill": 2,
    "stop": 2,
    "pause": 4,
    "refuse": 2,
    "hang": 2,
    "slow": 1,
    "terminate": 2,
    "deaf": 1,
    "outage": 1,
}
"""Faults that come at drawn times, and how often each."""

_OUTAGE_SECONDS = 75.0
_EPOCH = START.timestamp()
_SLOWNESS = 25.0


class Storm:
    """Blows until `end`, with the kinds of faults that this seed has."""

    def __init__(self, server: Server, chance: Random, lease: float) -> None:
        self.faults: list[Fault] = []
        self.exits: list[Exit] = []
        self.blowing = True
        self._outage: asyncio.Future[None] | None = None
        self._server = server
        self._chance = chance
        self._lease = lease
        self._outside = contextvars.copy_context()
        kinds = [*AT_A_STEP, *AT_A_TIME]
        chosen = chance.sample(kinds, chance.choice((0, 2, 3, 4, 5, 6, len(kinds))))
        self.kinds = sorted(chosen)
        self._gap = chance.choice((0.4, 0.8, 1.5))
        self._shares = {kind: chance.choice((0.002, 0.005, 0.015)) for kind in AT_A_STEP}

    def meet(self, process: Process) -> Meet:
        """What `process` meets at each step of its way to the database."""
        kinds = [kind for kind in AT_A_STEP if kind in self.kinds]
        total = sum(self._shares[kind] for kind in kinds)

        def met(point: str) -> Any:
            if not kinds or not self.blowing:
                return None
            drawn = self._chance.random()
            if drawn >= total:
                return None
            for kind in kinds:
                drawn -= self._shares[kind]
                if drawn < 0:
                    return self._at_a_step(kind, process, point)
            return None

        return met

    async def blow(self, seconds: float, processes: Callable[[], Sequence[Process]]) -> None:
        loop, end = self._server.loop, self._server.loop.time() + seconds
        kinds = [kind for kind in AT_A_TIME if kind in self.kinds]
        weights = [AT_A_TIME[kind] for kind in kinds]
        while kinds:
            await loop.pause(self._chance.expovariate(1.0 / self._gap))
            if loop.time() >= end:
                break
            (kind,) = self._chance.choices(kinds, weights)
            self._at_a_time(kind, processes())
        await loop.pause(max(0.0, end - loop.time()))
        # What is missed by more than a minute is decided otherwise, so an outage is waited for.
        if self._outage is not None:
            await self._outage

    def calm(self, processes: Sequence[Process]) -> None:
        """From now on nothing goes wrong any more, and what was held up goes on."""
        self.blowing = False
        self._restore()
        for process in processes:
            if process.lane.frozen:
                process.thaw()

    def _at_a_step(self, kind: str, process: Process, point: str) -> Any:
        if kind == "crash":
            self._kill(process, {"point": point})
            return self._server.loop.create_future()
        if kind == "freeze":
            self._freeze(process, {"point": point})
            return self._server.loop.pause(0)
        self._note("cut", process.lane.name, 0.0, {"point": point})
        raise StoreUnavailable(f"the connection was cut at {point}")

    def _at_a_time(self, kind: str, processes: Sequence[Process]) -> None:
        alive = [process for process in processes if process.alive]
        victim = self._chance.choice(alive) if alive else None
        if kind in ("refuse", "hang", "slow", "terminate", "deaf"):
            self._at_the_server(kind)
        elif kind == "outage":
            self._long_outage()
        elif victim is None:
            return
        elif kind == "kill":
            self._kill(victim, {})
        elif kind == "pause":
            self._freeze(victim, {})
        elif kind == "stop":
            self._note("stop", victim.lane.name, 0.0, {})
            self._server.loop.spawn(self._server.loop.lane("terminator"), victim.stop())

    def _at_the_server(self, kind: str) -> None:
        server = self._server
        seconds = self._chance.choice((0.3, 1.0, self._lease * 1.5))
        if kind == "terminate":
            server.terminate()
            seconds = 0.0
        elif kind == "slow":
            server.slowness = _SLOWNESS
        elif kind == "deaf":
            server.deaf = 1.0
        else:
            server.go_away(Weather.REFUSING if kind == "refuse" else Weather.HANGING)
        self._note(kind, "database", seconds, {})
        if seconds:
            server.loop.call_later(seconds, self._restore)

    def _long_outage(self) -> None:
        if self._outage is None:
            self._server.go_away(Weather.REFUSING)
            self._note("outage", "database", _OUTAGE_SECONDS, {})
            self._outage = self._server.loop.pause(_OUTAGE_SECONDS)
            self._outage.add_done_callback(lambda _: self._restore())

    def _restore(self) -> None:
        if self._outage is not None and not self._outage.done():
            return
        self._server.slowness, self._server.deaf = 1.0, 0.0
        self._server.come_back()

    def _kill(self, process: Process, detail: dict[str, Any]) -> None:
        self._note("kill", process.lane.name, 0.0, detail)
        process.crash()
        at = _EPOCH + self._server.loop.time()
        self.exits.append(Exit(process.lane.name, process.lane.pid, at, -9, meant=True))

    def _freeze(self, process: Process, detail: dict[str, Any]) -> None:
        seconds = self._lease * self._chance.choice((0.5, 1.7, 2.5))
        self._note("freeze", process.lane.name, seconds, detail)
        process.freeze()
        self._server.loop.call_later(seconds, self._thaw, process, context=self._outside)

    def _thaw(self, process: Process) -> None:
        if process.alive and process.lane.frozen:
            process.thaw()

    def _note(self, kind: str, target: str, seconds: float, detail: dict[str, Any]) -> None:
        now = self._server.loop.time()
        self._server.trace.append((now, target, f"FAULT {kind}", seconds, str(detail)))
        began = _EPOCH + now
        self.faults.append(Fault(kind, target, began, began + seconds, detail))
