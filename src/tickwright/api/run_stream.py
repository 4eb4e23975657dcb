"""What a run tells while it runs: its log in pages, and everything live as Server-Sent Events.

Invariant: a stream ends with its run, its client or its process, and then holds nothing more.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import Field
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from tickwright.api.auth import Caller, CurrentCaller
from tickwright.api.body import JsonRoute
from tickwright.api.errors import RETRY_AFTER_SECONDS, Refused, documented
from tickwright.api.run_wire import (
    LogPageAnswer,
    line_answer,
    progress_answer,
    run_answer,
    status_answer,
)
from tickwright.api.wire import Answer, Filters
from tickwright.model.errors import InvalidInput, StoreUnavailable
from tickwright.model.report import RunUpdate

router = APIRouter(prefix="/runs", tags=["runs"], route_class=JsonRoute)

MOST_STREAMS = 100
KEEP_ALIVE_SECONDS = 15.0
_AWAY_SECONDS = 2.0
_FED_AHEAD = 100
_STREAM = {"text/event-stream": {"schema": {"type": "string"}}}
_EVENT_ID = re.compile(r"([0-9]{1,18})(\.end)?")
RunId = Annotated[UUID, Path(alias="runId")]
Events = AsyncGenerator[str, None]
Told = asyncio.Queue[str | None]
_log = logging.getLogger("tickwright.api")


class LogFilters(Filters):
    """Which lines of a log to read."""

    after: int = Field(default=0, ge=0, lt=2**63, description="Only lines behind this `seq`.")
    limit: int = Field(default=100, ge=1, le=500)
    attempt: int | None = Field(default=None, ge=1, lt=2**31, description="Only of this attempt.")
    newest: bool = Field(default=False, description="The last lines instead of the first.")


@router.get("/{runId}/logs", responses=documented(404, 422))
async def get_run_logs(
    run_id: RunId, filters: Annotated[LogFilters, Query()], caller: CurrentCaller
) -> LogPageAnswer:
    """Read the log of a run, oldest line first; `next` is the `after` of the following page."""
    page = await caller.scheduler.run_logs(
        caller.scope,
        run_id,
        after=filters.after,
        limit=filters.limit,
        attempt=filters.attempt,
        newest=filters.newest,
    )
    last = page.lines[-1].seq if page.lines else filters.after
    data = [line_answer(line) for line in page.lines]
    return LogPageAnswer(data=data, dropped=page.dropped, next=last)


class Streams:
    """How many streams this process feeds at once."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._most = most
        self.open = 0

    def enter(self) -> None:
        if self.open >= self._most:
            detail = f"{self._most} streams are open already; ask for the logs, or later"
            error = Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_streams", detail)
            error.headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            raise error
        self.open += 1

    def leave(self) -> None:
        self.open -= 1


class EventStream(StreamingResponse):
    """A stream that closes what feeds it, however it ends."""

    media_type = "text/event-stream"

    def __init__(self, events: Events, streams: Streams) -> None:
        super().__init__(events, headers={"X-Accel-Buffering": "no"})
        self._events = events
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave()
            await self._events.aclose()


@router.get(
    "/{runId}/stream",
    response_class=StreamingResponse,
    responses={
        **documented(404, 422),
        200: {"description": "Server-Sent Events.", "content": _STREAM},
        204: {"description": "The run has ended and all of it was sent before."},
    },
)
async def stream_run(
    run_id: RunId,
    caller: CurrentCaller,
    request: Request,
    last_event_id: Annotated[
        str | None, Header(description="The `id` of the last event that arrived.")
    ] = None,
) -> Response:
    """Follow a run: events `status`, `progress`, `log` and `end`, in whichever process it runs.

    Status and progress are told as they are and then as they change; `Last-Event-ID` leaves out
    the lines that were sent before.
    """
    after, over = _resumed(last_event_id)
    await caller.scheduler.get_run(caller.scope, run_id)
    if over:
        # What is not told so, a browser asks again and again.
        return Response(status_code=HTTPStatus.NO_CONTENT)
    streams: Streams = request.app.state.streams
    streams.enter()
    return EventStream(_events(caller, run_id, after), streams)


def _resumed(event_id: str | None) -> tuple[int, bool]:
    """Behind which line the stream goes on, and whether it was at its end."""
    if not event_id:
        return 0, False
    match = _EVENT_ID.fullmatch(event_id)
    if match is None:
        raise InvalidInput("Last-Event-ID", "must be the id of an event of this stream")
    return int(match[1]), match[2] is not None


async def _events(caller: Caller, run_id: UUID, after: int) -> Events:
    """What is sent; a task of its own feeds it, which no silence and no slow client disturbs."""
    told: Told = asyncio.Queue(_FED_AHEAD)
    feeding = asyncio.create_task(_feed(caller, run_id, after, told))
    try:
        yield "retry: 2000\n\n"
        while (text := await _next(told)) is not None:
            yield text
    finally:
        feeding.cancel()


async def _next(told: Told) -> str | None:
    try:
        async with asyncio.timeout(KEEP_ALIVE_SECONDS):
            return await told.get()
    except TimeoutError:
        return ": keep-alive\n\n"


async def _feed(caller: Caller, run_id: UUID, after: int, told: Told) -> None:
    """Pass on what the run tells, across times without a database; None is the end."""
    while True:
        try:
            async with aclosing(
                caller.scheduler.follow_run(caller.scope, run_id, after=after)
            ) as updates:
                async for update in updates:
                    after = update.after
                    await told.put(_event(update))
        except StoreUnavailable:
            await told.put(": the database cannot be reached\n\n")
            await asyncio.sleep(_AWAY_SECONDS)
            continue
        except Exception:
            _log.exception("the stream of run %s breaks off", run_id)
        await told.put(None)
        return


def _event(update: RunUpdate) -> str:
    data: dict[str, Any] = _data(update).model_dump(mode="json", by_alias=True)
    event_id = f"{update.after}.end" if update.kind == "end" else str(update.after)
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {event_id}\nevent: {update.kind}\ndata: {text}\n\n"


def _data(update: RunUpdate) -> Answer:
    if update.line is not None:
        return line_answer(update.line)
    if update.kind == "progress":
        return progress_answer(update.run)
    return run_answer(update.run) if update.kind == "end" else status_answer(update.run)
