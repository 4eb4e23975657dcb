"""What this process can say about itself and its database, for health checks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tickwright.engine.pruner import DUTY
from tickwright.engine.runtime import Runtime
from tickwright.model.errors import StoreUnavailable
from tickwright.model.worker import WorkerStatus
from tickwright.store.base import Store

if TYPE_CHECKING:
    from tickwright.service.scheduler import Scheduler

_PATIENCE_SECONDS = 2.0
NOT_RUNNING = "the engine is not running"


@dataclass(frozen=True, slots=True)
class Status:
    """`problems` says in words what is wrong; an empty list is a healthy system."""

    ready: bool
    database: str
    dialect: str
    schedules: int = 0
    workers_online: int = 0
    leader: UUID | None = None
    problems: list[str] = field(default_factory=list)


class Probe:
    """The status for those who ask often and do not wait for a database that hangs.

    However many ask, the database is asked once at a time.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._asking: asyncio.Task[Status] | None = None

    async def status(self) -> Status:
        """What is known after two seconds at most; never raises."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._scheduler.status())
        asking = self._asking
        await asyncio.wait({asking}, timeout=_PATIENCE_SECONDS)
        return asking.result() if asking.done() else self._unanswered()

    def _unanswered(self) -> Status:
        runtime = self._scheduler._runtime
        problems = ["the database does not answer", *_loop_problems(runtime)]
        return Status(False, "unavailable", runtime.parts.store.dialect, problems=problems)


async def system_status(store: Store, runtime: Runtime, now: datetime | None) -> Status:
    """Ask the database and the loops; `now` is None when the clock could not be read."""
    problems = _loop_problems(runtime)
    if now is None:
        problems.insert(0, "the database cannot be reached")
        return Status(False, "unavailable", store.dialect, problems=problems)
    try:
        return await _with_database(store, runtime, now, problems)
    except StoreUnavailable as error:
        return Status(False, "unavailable", store.dialect, problems=[str(error), *problems])


async def _with_database(
    store: Store, runtime: Runtime, now: datetime, problems: list[str]
) -> Status:
    if not await store.upkeep.schema_is_current():
        problems = ["the database schema is not current: run `tickwright db upgrade`", *problems]
        return Status(False, "schema", store.dialect, problems=problems)
    workers = await store.workers.all()
    online = [w for w in workers if w.status is WorkerStatus.ONLINE and w.lease_until > now]
    return Status(
        ready=runtime.running and not problems,
        database="ok",
        dialect=store.dialect,
        schedules=await store.schedules.count(),
        workers_online=len(online),
        leader=await store.upkeep.holder(DUTY, now),
        problems=problems,
    )


def _loop_problems(runtime: Runtime) -> list[str]:
    if not runtime.running:
        return [NOT_RUNNING]
    return [
        f"the {name} loop fails: {loop.error}"
        for name, loop in runtime.loops.items()
        if loop.error is not None
    ]
