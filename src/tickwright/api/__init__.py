"""The REST application: `create_app` for `tickwright serve`, or to mount in an application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from importlib import import_module

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from tickwright.api import errors, openapi
from tickwright.api.boundary import Guarded, Marked
from tickwright.api.run_stream import Streams
from tickwright.model.scope import Scope
from tickwright.service.scheduler import Scheduler
from tickwright.service.status import Probe

__all__ = ["RESOURCES", "create_app"]

RESOURCES = {
    "health": "tickwright.api.health:router",
    "schedules": "tickwright.api.schedules:router",
    "jobs": "tickwright.api.jobs:router",
    "calendars": "tickwright.api.calendars:router",
    "many runs": "tickwright.api.bulk_runs:router",
    "runs": "tickwright.api.runs:router",
    "what runs tell": "tickwright.api.run_stream:router",
    "workers": "tickwright.api.workers:router",
    "changes": "tickwright.api.changes:router",
    "service jobs": "tickwright.api.service_jobs:router",
    "docs": "tickwright.api.docs:router",
}
LONGEST_TRIGGER_WAIT = timedelta(seconds=60)
_DESCRIPTION = "Schedules, their runs, and the workers that execute them."
_log = logging.getLogger("tickwright.api")
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    scheduler: Scheduler,
    *,
    default_scope: Scope,
    version: str,
    title: str = "Tickwright",
    manage: bool = True,
    allowed_origin: str | None = None,
) -> FastAPI:
    """The API of `scheduler` for `default_scope`.

    With `manage` it starts the scheduler when it starts, without waiting for the database, and
    drains it when it stops. Without, the host does: a mounted application is told of neither.
    Browsers may call it from `allowed_origin`.
    """
    app = FastAPI(
        title=title,
        version=version,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=openapi.operation_id,
        lifespan=_life_of(scheduler) if manage else None,
    )
    app.state.scheduler = scheduler
    app.state.probe = Probe(scheduler)
    app.state.default_scope = default_scope
    app.state.streams = Streams()
    app.state.trigger_wait = LONGEST_TRIGGER_WAIT
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
    for member in RESOURCES.values():
        module, _, name = member.partition(":")
        app.include_router(getattr(import_module(module), name))
    errors.install(app)
    _wrap(app, allowed_origin)
    return app


def _wrap(app: FastAPI, allowed_origin: str | None) -> None:
    """From the inside out: the guard, so that the others see its answers, and the marks last."""
    app.add_middleware(Guarded)
    if allowed_origin is not None:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[allowed_origin],
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Content-Type",
                "Idempotency-Key",
                "If-Match",
                "Last-Event-ID",
                "X-Request-Id",
            ],
            expose_headers=["ETag", "Location", "Retry-After", "X-Request-Id"],
        )
    app.add_middleware(Marked)


def _life_of(scheduler: Scheduler) -> Lifespan:
    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        starting = asyncio.create_task(_start(scheduler))
        try:
            yield
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await scheduler.stop()

    return life


async def _start(scheduler: Scheduler) -> None:
    try:
        await scheduler.start_patiently()
    except Exception:
        _log.exception("the scheduler does not start; /ready says why")
