"""The HTTP side: every request gets a JobResult, whatever happens to the job."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from time import perf_counter

from aiohttp import web
from pydantic import ValidationError

from .contract import JobContext, JobResult, Refused
from .data_directory import DataDirectory
from .job import Job
from .jobs import JOBS

log = logging.getLogger("housekeeping")


def build_app(data: DataDirectory) -> web.Application:
    app = web.Application()
    for job in JOBS:
        app.router.add_post(f"/api/jobs/{job.name}", partial(run, job, data))
    return app


async def run(job: Job, data: DataDirectory, request: web.Request) -> web.Response:
    try:
        context = JobContext.model_validate_json(await request.read())
    except ValidationError as invalid:
        return respond(HTTPStatus.BAD_REQUEST, failure(f"not a JobContext: {invalid}"))
    started = perf_counter()
    status, result = await asyncio.to_thread(perform, job, context, data)
    counts = f"{result.items_succeeded} of {result.items_processed} items"
    outcome = f"done, {counts}" if result.success else f"failed: {result.error}"
    took_ms = (perf_counter() - started) * 1000
    log.info("%s %s %s (%.0f ms)", job.name, context.execution_id, outcome, took_ms)
    return respond(status, result)


def perform(job: Job, context: JobContext, data: DataDirectory) -> tuple[HTTPStatus, JobResult]:
    try:
        return HTTPStatus.OK, job.work(context.config, data, datetime.now(UTC))
    except Refused as refused:
        return HTTPStatus.OK, failure(str(refused))
    except Exception as error:
        log.exception("%s broke", job.name)
        return HTTPStatus.INTERNAL_SERVER_ERROR, failure(f"{type(error).__name__}: {error}")


def failure(error: str) -> JobResult:
    return JobResult(success=False, error=error)


def respond(status: HTTPStatus, result: JobResult) -> web.Response:
    return web.json_response(result.model_dump(by_alias=True, exclude_none=True), status=status)
