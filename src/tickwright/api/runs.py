"""Runs: start one, list, read with their attempts, retry, cancel."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from tickwright.api.auth import Caller, CurrentCaller
from tickwright.api.body import JsonRoute
from tickwright.api.errors import documented
from tickwright.api.idempotency import IdempotencyKey, request_key
from tickwright.api.run_wire import (
    NewRun,
    RetryRequest,
    RunAnswer,
    RunDetail,
    RunFilters,
    RunList,
    run_answer,
    run_detail,
    run_list,
)
from tickwright.api.wire import path_to
from tickwright.model.errors import NotFound, NotPossible
from tickwright.model.page import Page
from tickwright.model.run import RunStatus
from tickwright.model.states import OPEN_RUNS
from tickwright.service.scheduler import RunQuery

router = APIRouter(prefix="/runs", tags=["runs"], route_class=JsonRoute)

_BODY = (413, 415)
RunId = Annotated[UUID, Path(alias="runId")]


@router.get("", responses=documented(422))
async def list_runs(filters: Annotated[RunFilters, Query()], caller: CurrentCaller) -> RunList:
    """List the runs, the newest first, by pages or by cursor."""
    try:
        schedule_id = await schedule_id_of(filters.schedule_id, caller)
    except NotFound:
        return run_list(Page([], 0, filters.page_size, filters.offset), filters)
    query = RunQuery(
        limit=filters.page_size,
        offset=filters.offset,
        schedule_id=schedule_id,
        statuses=filters.status,
        job_key=filters.job_key,
        worker_id=filters.worker_id,
        since=filters.since,
        until=filters.until,
        cause=filters.cause,
        queue=filters.queue,
        replay_of=filters.replay_of,
        order=filters.sort,
        cursor=filters.cursor,
    )
    return run_list(await caller.scheduler.find_runs(caller.scope, query), filters)


@router.post("", status_code=HTTPStatus.ACCEPTED, responses=documented(*_BODY, 409, 422))
async def run_job(
    body: NewRun,
    caller: CurrentCaller,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> RunAnswer:
    """Run a job once, now, without a schedule."""
    run = await caller.scheduler.run_job(
        caller.scope,
        body.job_key,
        body.payload,
        target=body.target,
        triggered_by=caller.actor,
        request_key=request_key(idempotency_key, body.request_id),
    )
    response.headers["Location"] = path_to(request, f"/runs/{run.id}")
    return run_answer(run)


@router.get("/{runId}", responses=documented(404, 422))
async def get_run(run_id: RunId, caller: CurrentCaller) -> RunDetail:
    """Read a run and the tries before its newest one."""
    run = await caller.scheduler.get_run(caller.scope, run_id)
    return run_detail(run, await caller.scheduler.attempts(caller.scope, run_id))


@router.post(
    "/{runId}/retry", status_code=HTTPStatus.ACCEPTED, responses=documented(*_BODY, 404, 409, 422)
)
async def retry_run(
    run_id: RunId,
    caller: CurrentCaller,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
    body: RetryRequest | None = None,
) -> RunAnswer:
    """Do again what an ended run did: a new run that points at it (`replayOf`)."""
    wanted = body or RetryRequest()
    run = await caller.scheduler.retry_run(
        caller.scope,
        run_id,
        payload=wanted.payload,
        triggered_by=caller.actor,
        request_key=request_key(idempotency_key, wanted.request_id),
    )
    response.headers["Location"] = path_to(request, f"/runs/{run.id}")
    return run_answer(run)


@router.post("/{runId}/cancel", responses=documented(404, 422))
async def cancel_run(run_id: RunId, caller: CurrentCaller) -> RunAnswer:
    """Cancel a queued run, or ask a running one to stop (`cancelRequestedAt`)."""
    run = await caller.scheduler.cancel_run(caller.scope, run_id)
    if run.status not in OPEN_RUNS and run.status is not RunStatus.CANCELLED:
        raise NotPossible(f"the run has {run.status} already")
    return run_answer(run)


async def schedule_id_of(ref: str | None, caller: Caller) -> UUID | None:
    """An id stands for itself, so that the runs of a deleted schedule can still be found."""
    if ref is None:
        return None
    try:
        return UUID(ref)
    except ValueError:
        return (await caller.scheduler.get_schedule(caller.scope, ref)).id
