"""Health for probes and people, told without asking who wants to know."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tickwright.api.errors import Problem
from tickwright.api.wire import Answer
from tickwright.model.clock import SystemClock
from tickwright.service.status import Probe, Status

router = APIRouter(tags=["health"])

SERVICE = "tickwright"
_LONGEST_PROBLEM = 200


class Liveness(Answer):
    """The process answers."""

    status: Literal["live"] = "live"


class Readiness(Answer):
    """Whether this process can do its work at the moment."""

    status: Literal["ready", "not_ready"]
    database: str
    problems: list[str]


class DatabaseHealth(Answer):
    """Whether the database answers, and which kind it is."""

    status: str
    dialect: str


class EngineHealth(Answer):
    """Whether this process plans and executes."""

    status: Literal["ok", "failing"]


class WorkersHealth(Answer):
    """How many workers are online in all processes."""

    online: int


class LeaderHealth(Answer):
    """The worker that does what only one process at a time does."""

    worker_id: UUID | None


class Components(Answer):
    """The health of each part."""

    database: DatabaseHealth
    engine: EngineHealth
    workers: WorkersHealth
    leader: LeaderHealth


class HealthAnswer(Answer):
    """The health of the whole."""

    status: Literal["healthy", "unhealthy"]
    service: str
    timestamp: datetime
    version: str
    jobs: int
    components: Components
    problems: list[str]


@router.get("/live", responses={500: {"model": Problem}})
async def live() -> Liveness:
    """The process is up; it says nothing of the database."""
    return Liveness()


@router.get("/ready", responses={500: {"model": Problem}, 503: {"model": Readiness}})
async def ready(request: Request, response: Response) -> Readiness:
    """The process can do its work: the database answers and every loop goes round."""
    status = await _asked(request)
    _mark(response, status)
    return Readiness(
        status="ready" if status.ready else "not_ready",
        database=status.database,
        problems=_problems(status),
    )


@router.get("/health", responses={500: {"model": Problem}, 503: {"model": HealthAnswer}})
async def health(request: Request, response: Response) -> HealthAnswer:
    """Every part's health; 503 when the database is away or the engine does not run."""
    status = await _asked(request)
    _mark(response, status)
    return HealthAnswer(
        status="healthy" if status.ready else "unhealthy",
        service=SERVICE,
        timestamp=await SystemClock().now(),
        version=request.app.version,
        jobs=status.schedules,
        components=Components(
            database=DatabaseHealth(status=status.database, dialect=status.dialect),
            engine=EngineHealth(status="ok" if status.ready else "failing"),
            workers=WorkersHealth(online=status.workers_online),
            leader=LeaderHealth(worker_id=status.leader),
        ),
        problems=_problems(status),
    )


async def _asked(request: Request) -> Status:
    probe: Probe = request.app.state.probe
    return await probe.status()


def _mark(response: Response, status: Status) -> None:
    if not status.ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE


def _problems(status: Status) -> list[str]:
    """The first line of each: a driver's further lines hold statements and their parameters."""
    return [each.partition("\n")[0][:_LONGEST_PROBLEM] for each in status.problems]
