"""Jobs: define, list, read, change and delete the policies of kinds of work."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from tickwright.api.auth import CurrentCaller
from tickwright.api.body import JsonRoute
from tickwright.api.errors import documented
from tickwright.api.etag import IfMatch, mark, version_in
from tickwright.api.job_wire import JobAnswer, JobFilters, JobList, JobPatch, NewJob, job_answer
from tickwright.api.wire import pagination, path_to
from tickwright.model.job import Job, policy_from_json

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=JsonRoute)

_BODY = (413, 415)
Key = Annotated[str, Path(alias="key", description="The key of the job.")]


@router.post("", status_code=HTTPStatus.CREATED, responses=documented(*_BODY, 409, 422))
async def create_job(
    body: NewJob, caller: CurrentCaller, request: Request, response: Response
) -> JobAnswer:
    """Define a job's policy; a job that nobody defined has the default one."""
    policy = policy_from_json(body.given("key"))
    job = await caller.scheduler.create_job(caller.scope, body.key, policy, actor=caller.actor)
    response.headers["Location"] = path_to(request, f"/jobs/{job.key}")
    return _answered(job, response)


@router.get("", responses=documented(422))
async def list_jobs(filters: Annotated[JobFilters, Query()], caller: CurrentCaller) -> JobList:
    """List the defined jobs in the order of their keys."""
    found = await caller.scheduler.find_jobs(
        caller.scope, limit=filters.page_size, offset=filters.offset, search=filters.search
    )
    data = [job_answer(job) for job in found.items]
    return JobList(data=data, pagination=pagination(filters, found.total))


@router.get("/{key}", responses=documented(404))
async def get_job(key: Key, caller: CurrentCaller, response: Response) -> JobAnswer:
    """Read a job; its ETag is its version."""
    return _answered(await caller.scheduler.get_job(caller.scope, key), response)


@router.patch("/{key}", responses=documented(*_BODY, 404, 412, 422))
async def update_job(
    key: Key,
    body: JobPatch,
    caller: CurrentCaller,
    response: Response,
    if_match: IfMatch = None,
) -> JobAnswer:
    """Change parts of a job's policy; runs that are queued follow it too."""
    job = await caller.scheduler.update_job(
        caller.scope, key, body.given(), version=version_in(if_match), actor=caller.actor
    )
    return _answered(job, response)


@router.delete("/{key}", status_code=HTTPStatus.NO_CONTENT, responses=documented(404, 412, 422))
async def delete_job(key: Key, caller: CurrentCaller, if_match: IfMatch = None) -> None:
    """Forget a job's policy: its runs, queued ones too, follow the default."""
    await caller.scheduler.delete_job(
        caller.scope, key, version=version_in(if_match), actor=caller.actor
    )


def _answered(job: Job, response: Response) -> JobAnswer:
    mark(response, job.version)
    return job_answer(job)
