"""A client that writes through the library, beside the processes that do the work.

Invariant: every write is recorded with what was asked for, when, and what was answered.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from tests.faults.judge.history import Operation
from tests.faults.world.clients import JOB, SERVICE
from tests.faults.world.system import now
from tickwright import Scheduler, tenant

NAME = "embedded"
_SCOPE = tenant("default")


@dataclass(frozen=True)
class Wish:
    """A schedule to create: its rule in the API's words, and what the sink is to do."""

    key: str
    trigger: Mapping[str, Any]
    work: Mapping[str, Any]
    overlap: str = "allow"
    max_runs: int | None = None

    @property
    def body(self) -> dict[str, Any]:
        """As operations are recorded."""
        bound = {} if self.max_runs is None else {"maxRuns": self.max_runs}
        return {"trigger": dict(self.trigger), "overlap": self.overlap, **bound}


class Embedded:
    """A scheduler without an engine, which creates, triggers and pauses; `sink` is its service."""

    def __init__(self, url: str, sink: str, operations: list[Operation]) -> None:
        with mock.patch.dict(os.environ, {f"{SERVICE.upper()}_URL": sink}):
            self._scheduler = Scheduler(url)
        self._operations = operations

    async def close(self) -> None:
        await self._scheduler.stop()

    async def create(self, wish: Wish) -> None:
        async def create() -> dict[str, Any]:
            made = await self._scheduler.create_schedule(
                _SCOPE,
                JOB,
                dict(wish.trigger),
                key=wish.key,
                target={"type": "http", "service": SERVICE, "endpoint": f"/jobs/{wish.key}"},
                payload=dict(wish.work),
                overlap=wish.overlap,
                max_runs=wish.max_runs,
            )
            return {"trigger": made.trigger}

        await self._written("create", wish.key, create, wish.body)

    async def trigger(self, key: str) -> None:
        async def trigger(marker: str) -> dict[str, Any]:
            await self._scheduler.trigger_schedule(_SCOPE, key, request_key=marker)
            return {}

        marker = f"{NAME}/{len(self._operations) + 1}"
        await self._written("trigger", key, lambda: trigger(marker), {}, marker)

    async def pause(self, key: str) -> None:
        async def pause() -> dict[str, Any]:
            await self._scheduler.pause_schedule(_SCOPE, key)
            return {}

        await self._written("pause", key, pause, {})

    async def _written(
        self,
        kind: str,
        key: str,
        write: Callable[[], Awaitable[dict[str, Any]]],
        body: dict[str, Any],
        marker: str = "",
    ) -> None:
        invoked = now()
        answer = await write()
        self._operations.append(
            Operation(NAME, kind, key, marker, body, invoked, now(), "ok", answer=answer)
        )


def at_second(second: float) -> dict[str, Any]:
    """A rule for one whole second since 1970."""
    moment = datetime.fromtimestamp(int(second), UTC).isoformat().replace("+00:00", "Z")
    return {"type": "one_shot", "at": moment}


def every_second() -> dict[str, Any]:
    return {"type": "interval", "every": "1s"}
