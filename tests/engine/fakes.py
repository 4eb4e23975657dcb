"""Stand-ins that keep a contract without a database, so that a test can make it fail at will."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tickwright.model.errors import StoreUnavailable
from tickwright.model.job import Policy
from tickwright.model.json import JsonObject
from tickwright.model.report import Report
from tickwright.model.run import Cause, Claimed, Ending, Outcome, RunStatus, Succeeded
from tickwright.model.worker import Worker
from tickwright.store.answers import Overdue
from tickwright.store.base import EndLost, Offer
from tickwright.store.database import new_id

from .support import ACME, START


def claimed(worker_id: UUID, target: str = "fake", **policy: Any) -> Claimed:
    return Claimed(
        id=new_id(),
        scope=ACME,
        schedule_id=new_id(),
        schedule_key="nightly",
        job_key="report",
        cause=Cause.SCHEDULE,
        nominal_at=START,
        run_at=START,
        target={"type": target},
        payload={},
        attempt=1,
        lease_token=1,
        policy=Policy(**policy),
        worker_id=worker_id,
    )


def ended(run: Claimed, status: RunStatus = RunStatus.SUCCEEDED, **changes: Any) -> Ending:
    return Ending(run, status, START, status.value, attempt=run.attempt, **changes)


class FakeQueue:
    """A queue of runs in memory: it takes each ending once, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.loses_answers = False
        self.ready: list[Claimed] = []
        self.running: dict[UUID, Claimed] = {}
        self.finished: list[Ending] = []
        self.batches: list[int] = []
        self.released: list[Claimed] = []
        self.marked: list[Claimed] = []
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    def hold(self, *runs: Claimed) -> None:
        """These runs are in a worker's hands."""
        self.running |= {run.id: run for run in runs}

    async def _reach(self) -> None:
        self.asked.set()
        await self.answers.wait()
        if self.away:
            raise StoreUnavailable

    async def lift(self, now: datetime) -> int:
        await self._reach()
        return 0

    async def claim(self, offer: Offer, now: datetime) -> list[Claimed]:
        await self._reach()
        taken, self.ready = self.ready[: offer.slots], self.ready[offer.slots :]
        for run in taken:
            run.worker_id = offer.worker_id
        self.hold(*taken)
        if self.loses_answers:
            raise StoreUnavailable
        return taken

    async def started(self, runs: Sequence[Claimed]) -> int:
        await self._reach()
        self.marked += runs
        return sum(run.id in self.running for run in runs)

    async def finish(self, endings: Sequence[Ending]) -> set[UUID]:
        await self._reach()
        self.batches.append(len(endings))
        accepted = [ending for ending in endings if self.running.pop(ending.run.id, None)]
        self.finished += accepted
        return {ending.run.id for ending in accepted}

    async def release(self, runs: Sequence[Claimed], now: datetime) -> None:
        await self._reach()
        self.released += [run for run in runs if self.running.pop(run.id, None)]

    async def held(self, worker_id: UUID) -> list[Claimed]:
        await self._reach()
        return [run for run in self.running.values() if run.worker_id == worker_id]

    async def rescue(self, now: datetime, limit: int, end: EndLost) -> list[Ending]:
        await self._reach()
        return []

    async def overdue(self, now: datetime, limit: int) -> Overdue:
        await self._reach()
        return Overdue()


class FakeReporting:
    """Keeps what runs told, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.saved: list[Report] = []

    async def save(self, reports: Sequence[Report]) -> list[Report]:
        if self.away:
            raise StoreUnavailable
        self.saved += reports
        return list(reports)


class FakeWorkers:
    """A register of one worker whose answer to a heartbeat is what the test says."""

    def __init__(self) -> None:
        self.answer: Collection[UUID] | None = ()
        self.away = False
        self.hangs = False
        self.meanwhile: Callable[[], None] = lambda: None
        self.beats: list[Worker] = []

    async def register(self, worker: Worker) -> None: ...

    async def beat(
        self, worker: Worker, now: datetime, lease: timedelta
    ) -> Collection[UUID] | None:
        self.meanwhile()
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise StoreUnavailable
        self.beats.append(worker)
        return self.answer

    async def mark(self, worker_id: UUID, status: Any) -> None: ...

    async def forget(self, before: datetime) -> int:
        return 0

    async def expire(self, now: datetime) -> list[Worker]:
        return []

    async def all(self) -> list[Worker]:
        return []

    async def handlers(self, now: datetime) -> set[str]:
        return set()


class FakeTarget:
    """Work that is held until it is let go, and counts how much of it goes on at once."""

    type = "fake"

    def __init__(self, does: Callable[[], Outcome] = Succeeded) -> None:
        self.does = does
        self.delivered: list[Claimed] = []
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self.stubborn = False
        self.at_once = self.most_at_once = 0

    def check(self, target: JsonObject) -> dict[str, Any]:
        return dict(target)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def deliver(self, run: Claimed) -> Outcome:
        self.delivered.append(run)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        try:
            await asyncio.sleep(0)
            await self.go.wait()
        except asyncio.CancelledError:
            if not self.stubborn:
                raise
        finally:
            self.at_once -= 1
        return self.does()
