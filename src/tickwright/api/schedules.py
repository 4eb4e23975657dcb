"""Schedules: create, list, read, change, pause, resume, cancel, delete, and run one now."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from tickwright.api.auth import Caller, CurrentCaller
from tickwright.api.body import JsonRoute
from tickwright.api.errors import documented
from tickwright.api.etag import IfMatch, mark, version_in
from tickwright.api.idempotency import IdempotencyKey, request_key
from tickwright.api.run_wire import RunAnswer, run_answer
from tickwright.api.schedule_wire import (
    NewSchedule,
    ScheduleAnswer,
    ScheduleFilters,
    ScheduleList,
    SchedulePatch,
    TriggerRequest,
    Why,
    schedule_answer,
)
from tickwright.api.wire import pagination, path_to
from tickwright.model.errors import InvalidInput, NotFound
from tickwright.model.schedule import Schedule, ScheduleStatus
from tickwright.service.scheduler import ScheduleQuery

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=JsonRoute)

_BODY = (413, 415)
Ref = Annotated[str, Path(description="The schedule's id or its key.")]


@router.post("", status_code=HTTPStatus.CREATED, responses=documented(*_BODY, 409, 422))
async def create_schedule(
    body: NewSchedule, caller: CurrentCaller, request: Request, response: Response
) -> ScheduleAnswer:
    """Create a schedule."""
    schedule = await caller.scheduler.create_schedule(
        caller.scope,
        body.job_key,
        body.trigger,
        key=body.key,
        past=body.past,
        actor=caller.actor,
        **body.given("key", "job_key", "trigger", "past"),
    )
    response.headers["Location"] = path_to(request, f"/schedules/{schedule.id}")
    return await _answered(caller, schedule, response)


@router.get("", responses=documented(422))
async def list_schedules(
    filters: Annotated[ScheduleFilters, Query()], caller: CurrentCaller
) -> ScheduleList:
    """List the schedules, the newest first."""
    query = ScheduleQuery(
        limit=filters.page_size,
        offset=filters.offset,
        status=_status(filters),
        job_key=filters.job_key,
        category=filters.category,
        search=filters.search,
        order=filters.sort,
    )
    found = await caller.scheduler.find_schedules(caller.scope, query)
    healths = await caller.scheduler.health(*found.items)
    data = [
        schedule_answer(each, health) for each, health in zip(found.items, healths, strict=True)
    ]
    return ScheduleList(data=data, pagination=pagination(filters, found.total))


@router.get("/{ref}", responses=documented(404))
async def get_schedule(ref: Ref, caller: CurrentCaller, response: Response) -> ScheduleAnswer:
    """Read a schedule by its id or its key; its ETag is its version."""
    schedule = await caller.scheduler.get_schedule(caller.scope, ref)
    return await _answered(caller, schedule, response)


@router.patch("/{ref}", responses=documented(*_BODY, 404, 409, 412, 422))
async def update_schedule(
    ref: Ref,
    body: SchedulePatch,
    caller: CurrentCaller,
    response: Response,
    if_match: IfMatch = None,
) -> ScheduleAnswer:
    """Change parts of a schedule; what was registered stays known, and can be returned to."""
    schedule = await caller.scheduler.update_schedule(
        caller.scope, ref, version=version_in(if_match), actor=caller.actor, **body.given()
    )
    return await _answered(caller, schedule, response)


@router.delete("/{ref}", status_code=HTTPStatus.NO_CONTENT, responses=documented(404))
async def delete_schedule(ref: Ref, caller: CurrentCaller) -> None:
    """Delete a schedule and cancel its queued runs; its key is free again, its runs stay."""
    await caller.scheduler.delete_schedule(caller.scope, ref, actor=caller.actor)


@router.post("/{ref}/pause", responses=documented(*_BODY, 404, 422))
async def pause_schedule(
    ref: Ref, caller: CurrentCaller, response: Response, body: Why | None = None
) -> ScheduleAnswer:
    """Let nothing new fire; what is queued or running goes on."""
    reason = body.reason if body else None
    schedule = await caller.scheduler.pause_schedule(
        caller.scope, ref, actor=caller.actor, reason=reason
    )
    return await _answered(caller, schedule, response)


@router.post("/{ref}/resume", responses=documented(404, 422))
async def resume_schedule(ref: Ref, caller: CurrentCaller, response: Response) -> ScheduleAnswer:
    """Fire again from now on; what the pause left out stays out."""
    schedule = await caller.scheduler.resume_schedule(caller.scope, ref, actor=caller.actor)
    return await _answered(caller, schedule, response)


@router.post("/{ref}/cancel", responses=documented(*_BODY, 404, 422))
async def cancel_schedule(
    ref: Ref, caller: CurrentCaller, response: Response, body: Why | None = None
) -> ScheduleAnswer:
    """End a schedule for good and cancel its queued runs."""
    reason = body.reason if body else None
    schedule = await caller.scheduler.cancel_schedule(
        caller.scope, ref, actor=caller.actor, reason=reason
    )
    if schedule is None:
        raise NotFound(f"there is no schedule {ref}")
    return await _answered(caller, schedule, response)


@router.post(
    "/{ref}/trigger",
    status_code=HTTPStatus.ACCEPTED,
    responses=documented(*_BODY, 404, 409, 422),
)
async def trigger_schedule(
    ref: Ref,
    caller: CurrentCaller,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
    body: TriggerRequest | None = None,
) -> RunAnswer:
    """Run a schedule's job once, now; its own times are not touched."""
    wanted = body or TriggerRequest()
    schedule = await caller.scheduler.get_schedule(caller.scope, ref)
    run = await caller.scheduler.trigger_schedule(
        caller.scope,
        schedule.id,
        triggered_by=caller.actor,
        request_key=request_key(idempotency_key, wanted.request_id),
        payload=wanted.payload,
        force=wanted.force,
    )
    response.headers["Location"] = path_to(request, f"/runs/{run.id}")
    return run_answer(run)


async def _answered(caller: Caller, schedule: Schedule, response: Response) -> ScheduleAnswer:
    [health] = await caller.scheduler.health(schedule)
    mark(response, schedule.version)
    return schedule_answer(schedule, health)


def _status(filters: ScheduleFilters) -> ScheduleStatus | None:
    if filters.enabled is None:
        return filters.status
    meant = ScheduleStatus.ACTIVE if filters.enabled else ScheduleStatus.PAUSED
    if filters.status not in (None, meant):
        raise InvalidInput("enabled", f"contradicts status={filters.status}")
    return meant
