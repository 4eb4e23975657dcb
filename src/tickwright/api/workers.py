"""Workers: the processes that execute runs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from tickwright.api.auth import TheScheduler
from tickwright.api.body import JsonRoute
from tickwright.api.errors import documented
from tickwright.api.wire import Answer, Listed, Paging, pagination
from tickwright.model.worker import Worker, WorkerStatus

router = APIRouter(prefix="/workers", tags=["workers"], route_class=JsonRoute)


class WorkerFilters(Paging):
    """Which workers to list."""

    status: WorkerStatus | None = None


class WorkerAnswer(Answer):
    """One process, as its last heartbeat told."""

    id: UUID
    name: str
    host: str
    pid: int
    version: str
    queues: list[str]
    handlers: list[str]
    slots: int
    running: int
    status: WorkerStatus
    started_at: datetime
    heartbeat_at: datetime
    lease_until: datetime = Field(description="Silent beyond this, its runs are taken back.")


class WorkerList(Listed[WorkerAnswer]):
    """One page of workers, the youngest first."""


@router.get("", responses=documented(422))
async def list_workers(
    filters: Annotated[WorkerFilters, Query()], scheduler: TheScheduler
) -> WorkerList:
    """List the workers, the youngest first."""
    known = [
        worker for worker in await scheduler.workers() if filters.status in (None, worker.status)
    ]
    data = [_answer(each) for each in known[filters.offset :][: filters.page_size]]
    return WorkerList(data=data, pagination=pagination(filters, len(known)))


def _answer(worker: Worker) -> WorkerAnswer:
    return WorkerAnswer(
        id=worker.id,
        name=worker.name,
        host=worker.host,
        pid=worker.pid,
        version=worker.version,
        queues=list(worker.queues),
        handlers=list(worker.handlers),
        slots=worker.slots,
        running=worker.running,
        status=worker.status,
        started_at=worker.started_at,
        heartbeat_at=worker.heartbeat_at,
        lease_until=worker.lease_until,
    )
