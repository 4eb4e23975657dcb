"""Service jobs, as seed 003 has them: services register jobs, and admins keep the last word."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from tickwright.api import service_job_wire as wire
from tickwright.api.auth import Caller, CurrentCaller
from tickwright.api.body import JsonRoute
from tickwright.api.errors import (
    RETRY_AFTER_SECONDS,
    Problem,
    in_words,
    mistakes,
    status_of,
    told,
)
from tickwright.api.service_job_answers import (
    EXECUTED,
    history_of,
    is_service_job,
    job_fields,
    result_of,
    stats_of,
)
from tickwright.model.errors import InvalidInput, NotFound, NotPossible, TickwrightError
from tickwright.model.schedule import Schedule
from tickwright.model.states import OPEN_RUNS
from tickwright.service.scheduler import RunQuery, ScheduleQuery

_BATCH = 500
_NAMES = {
    "key": "name",
    "jobKey": "name",
    "name": "displayName",
    "category": "jobType",
    "payload": "config",
    "trigger": "cronExpression",
    "trigger.expression": "cronExpression",
    "target.service": "service",
    "target.endpoint": "endpoint",
}


class JobRoute(JsonRoute):
    """A route that tells every error as seed 003 does: `{error, message}`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                return _error(HTTPStatus.BAD_REQUEST, in_words(mistakes(error)))
            except HTTPException as error:
                return _error(HTTPStatus(error.status_code), error.detail, error.headers)
            except InvalidInput as error:
                field = _NAMES.get(error.field, error.field)
                return _error(HTTPStatus.BAD_REQUEST, f"{field}: {error.reason}")
            except NotPossible as error:
                return _error(HTTPStatus.CONFLICT, str(error))
            except TickwrightError as error:
                return _failed(error)

        return handler


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    models = {**dict.fromkeys((400, *statuses, 503), wire.JobError), 500: Problem}
    return {status: {"model": model} for status, model in models.items()}


router = APIRouter(prefix="/api/jobs", tags=["service jobs"], route_class=JobRoute)


@router.post("/register", responses=_errors(413, 415))
async def register_service_job(body: wire.Registration, caller: CurrentCaller) -> wire.Registered:
    """Make a job known, or bring it up to date; what an admin changed since stays in force."""
    await _check_free(body.name, caller)
    await caller.scheduler.register(
        caller.scope,
        body.name,
        body.name,
        {"type": "cron", "expression": body.cron_expression, "timezone": "UTC"},
        actor=caller.actor,
        target={"type": "http", "service": body.service, "endpoint": body.endpoint},
        payload=body.config,
        name=body.display_name,
        description=body.description,
        category=body.job_type,
        source=f"service:{body.service}",
        enabled=body.enabled,
    )
    return wire.Registered(message=f"Job {body.name} is registered")


@router.get("", responses=_errors())
async def list_service_jobs(caller: CurrentCaller) -> wire.ServiceJobList:
    """List all service jobs by name."""
    found: dict[str, Schedule] = {}
    offset = 0
    while True:
        query = ScheduleQuery(limit=_BATCH, offset=offset, order="key")
        page = await caller.scheduler.find_schedules(caller.scope, query)
        found |= {each.key: each for each in page.items if is_service_job(each)}
        offset += _BATCH
        if not page.has_more:
            break
    return wire.ServiceJobList(
        jobs=[wire.ServiceJobAnswer(**job_fields(each)) for each in found.values()]
    )


@router.get("/{name}", responses=_errors(404))
async def get_service_job(name: str, caller: CurrentCaller) -> wire.JobDetail:
    """Read a job."""
    schedule = await _job(name, caller)
    query = RunQuery(limit=1, schedule_id=schedule.id, statuses=OPEN_RUNS)
    active = await caller.scheduler.find_runs(caller.scope, query)
    return wire.JobDetail(**job_fields(schedule), active_runs=active.total)


@router.post(
    "/{name}/trigger",
    response_model=wire.Triggered,
    responses={202: {"model": wire.StillRunning}, **_errors(404, 409, 413, 415)},
)
async def trigger_service_job(
    name: str, caller: CurrentCaller, request: Request, body: wire.TriggerJob | None = None
) -> wire.Triggered | Response:
    """Run a job now, enabled or not, and wait for what comes of it as long as is reasonable."""
    schedule = await _job(name, caller)
    run = await caller.scheduler.trigger_schedule(
        caller.scope, schedule.id, triggered_by=body.user_id if body else None
    )
    longest = min(await _timeout(schedule, caller), request.app.state.trigger_wait)
    run = await caller.scheduler.wait_for_run(caller.scope, run.id, longest)
    if run.status in OPEN_RUNS:
        answer = wire.StillRunning(message=f"Job {name} is still running", execution_id=run.id)
        return JSONResponse(answer.model_dump(mode="json", by_alias=True), HTTPStatus.ACCEPTED)
    return wire.Triggered(message=f"Job {name} was triggered", result=result_of(run))


@router.post("/{name}/enable", responses=_errors(404, 409))
async def enable_service_job(name: str, caller: CurrentCaller) -> wire.Done:
    """Let a job run by its rule."""
    schedule = await _job(name, caller)
    await caller.scheduler.resume_schedule(caller.scope, schedule.id, actor=caller.actor)
    return wire.Done(message=f"Job {name} is enabled")


@router.post("/{name}/disable", responses=_errors(404, 409))
async def disable_service_job(name: str, caller: CurrentCaller) -> wire.Done:
    """Stop a job from running by its rule."""
    schedule = await _job(name, caller)
    await caller.scheduler.pause_schedule(caller.scope, schedule.id, actor=caller.actor)
    return wire.Done(message=f"Job {name} is disabled")


@router.delete("/{name}", responses=_errors(404))
async def delete_service_job(name: str, caller: CurrentCaller) -> wire.Done:
    """Delete a job; its runs stay."""
    schedule = await _job(name, caller)
    await caller.scheduler.delete_schedule(caller.scope, schedule.id, actor=caller.actor)
    return wire.Done(message=f"Job {name} is deleted")


@router.put("/{name}/cron", responses=_errors(404, 409, 413, 415))
async def change_service_job_cron(
    name: str, body: wire.NewCron, caller: CurrentCaller
) -> wire.CronChanged:
    """Change when a job runs; registering it again does not change that back."""
    schedule = await _job(name, caller)
    changed = await caller.scheduler.update_schedule(
        caller.scope,
        schedule.id,
        trigger={**schedule.trigger, "expression": body.cron_expression},
        actor=caller.actor,
    )
    return wire.CronChanged(
        message=f"Job {name} has a new cron expression",
        cron_expression=changed.trigger["expression"],
    )


@router.get("/{name}/history", responses=_errors(404))
async def get_service_job_history(
    name: str, filters: Annotated[wire.HistoryFilters, Query()], caller: CurrentCaller
) -> wire.History:
    """List a job's executions, the newest first."""
    schedule = await _job(name, caller)
    query = RunQuery(
        limit=filters.limit,
        offset=filters.offset,
        schedule_id=schedule.id,
        statuses=EXECUTED,
    )
    return history_of(await caller.scheduler.find_runs(caller.scope, query), schedule)


@router.get("/{name}/stats", responses=_errors(404))
async def get_service_job_stats(
    name: str, filters: Annotated[wire.StatsFilters, Query()], caller: CurrentCaller
) -> wire.StatsAnswer:
    """Sum a job's executions over the last days, today included."""
    schedule = await _job(name, caller)
    found = await caller.scheduler.statistics(caller.scope, schedule.id, filters.days)
    return stats_of(found, filters.days)


async def _job(name: str, caller: Caller) -> Schedule:
    missing = NotFound(f"there is no job {name}")
    try:
        schedule = await caller.scheduler.get_schedule(caller.scope, name)
    except NotFound:
        raise missing from None
    if not is_service_job(schedule):
        raise missing
    return schedule


async def _check_free(name: str, caller: Caller) -> None:
    """A registration may bring its own job up to date, not take over somebody's schedule."""
    try:
        schedule = await caller.scheduler.get_schedule(caller.scope, name)
    except NotFound:
        return
    declared = schedule.registered.get("target", {}).get("target", {})
    if declared.get("type") != "http":
        raise InvalidInput("name", "belongs to a schedule that is no service job")


async def _timeout(schedule: Schedule, caller: Caller) -> timedelta:
    return (await caller.scheduler.policy_of(caller.scope, schedule.job_key)).timeout


def _failed(error: TickwrightError) -> Response:
    status = status_of(error)
    away = status is HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if away else None
    return _error(status, told(error), headers)


def _error(status: HTTPStatus, message: str, headers: Any = None) -> Response:
    answer = wire.JobError(error=status.phrase, message=message)
    return JSONResponse(answer.model_dump(), status, headers)
