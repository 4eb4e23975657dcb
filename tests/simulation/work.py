"""The work of simulated runs: it takes virtual time, ends in every way work can, and is recorded.

Invariant: whatever starts is written down with its moment and the lease it started under, also
when its process dies before it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.simulation.server import Server
from tickwright.model.json import JsonObject
from tickwright.model.run import Claimed, Failed, Items, Outcome, Succeeded

HANDLERS = ("mail", "report", "sync")
_LONGEST_SECONDS = 2.5
_HANGING_SECONDS = 30.0
_STUBBORN_SECONDS = 1.5


@dataclass(slots=True)
class Execution:
    """One start of one attempt, as the outside world saw it; moments in virtual seconds."""

    process: str
    run: str
    key: str
    worker: str
    token: int
    attempt: int
    nominal_at: float
    run_at: float
    at: float
    ended_at: float | None = None
    status: int | None = None


class Names:
    """The handlers that one process serves."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def register(self, name: str, fn: object) -> None:
        raise NotImplementedError


class Work:
    """The `handler` target of one process."""

    type = "handler"

    def __init__(self, server: Server, process: str, chance: Random, into: list[Execution]) -> None:
        self._server = server
        self._process = process
        self._chance = chance
        self._into = into

    def check(self, target: JsonObject) -> dict[str, Any]:
        return dict(target)

    async def open(self) -> None:
        """Nothing is shared."""

    async def close(self) -> None:
        """Nothing was opened."""

    async def deliver(self, run: Claimed) -> Outcome:
        execution = self._recorded(run)
        try:
            outcome = await self._carried_out(run)
        except Exception:
            self._ended(execution, 500)
            raise
        self._ended(execution, 200 if isinstance(outcome, Succeeded) else 500)
        return outcome

    def _recorded(self, run: Claimed) -> Execution:
        worker = run.worker_id
        assert worker is not None
        now = self._server.loop.time()
        execution = Execution(
            self._process,
            run.id.hex,
            run.idempotency_key,
            worker.hex,
            run.lease_token,
            run.attempt,
            run.nominal_at.timestamp(),
            run.run_at.timestamp(),
            now,
        )
        self._into.append(execution)
        self._server.trace.append((now, self._process, "starts", execution.run, run.lease_token))
        return execution

    def _ended(self, execution: Execution, status: int) -> None:
        execution.ended_at = now = self._server.loop.time()
        execution.status = status
        self._server.trace.append((now, self._process, "ends", execution.run, status))

    async def _carried_out(self, run: Claimed) -> Outcome:
        kind, loop = self._chance.random(), self._server.loop
        await loop.pause(self._chance.random() ** 3 * _LONGEST_SECONDS)
        if kind < 0.10:
            return Failed("it did not work")
        if kind < 0.14:
            return Failed("it will never work", retryable=False)
        if kind < 0.18:
            raise RuntimeError("it broke")
        if kind < 0.21:
            await loop.pause(_HANGING_SECONDS)
        elif kind < 0.24:
            await self._stubbornly(loop.pause(_HANGING_SECONDS))
        return Succeeded({"token": run.lease_token, "attempt": run.attempt}, Items(2, 1, 1))

    async def _stubbornly(self, waiting: asyncio.Future[None]) -> None:
        """Goes on for a while after it was told to stop."""
        try:
            await waiting
        except asyncio.CancelledError:
            await self._server.loop.pause(_STUBBORN_SECONDS)
