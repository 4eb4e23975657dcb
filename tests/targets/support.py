"""What the tests of the targets share: a claimed run, and services that live on the loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiohttp import web

from tickwright.model.run import Cause, Claimed, Failed, Outcome
from tickwright.model.scope import tenant
from tickwright.targets.handler import HandlerRegistry, HandlerTarget

NOMINAL = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RUN_ID = UUID("01950000-0000-7000-8000-000000000001")
SCHEDULE_ID = UUID("01950000-0000-7000-8000-000000000002")

HANDLER = {"type": "handler", "name": "work"}
EMAIL = {"type": "http", "service": "email-service", "endpoint": "/api/jobs/weekly-digest"}

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def claimed(target: Mapping[str, Any], **changes: Any) -> Claimed:
    """A run of the schedule `weekly-digest` in the hands of this process."""
    given: dict[str, Any] = {
        "id": RUN_ID,
        "scope": tenant("acme"),
        "schedule_id": SCHEDULE_ID,
        "schedule_key": "weekly-digest",
        "job_key": "digest",
        "cause": Cause.SCHEDULE,
        "nominal_at": NOMINAL,
        "run_at": NOMINAL,
        "target": target,
        "payload": {"batchSize": 100},
        "attempt": 1,
        "lease_token": 1,
    }
    return Claimed(**(given | changes))


class Serve:
    """Registers a callable and delivers a run to it."""

    def __init__(self, registry: HandlerRegistry, target: HandlerTarget) -> None:
        self.registry, self.target = registry, target

    async def __call__(self, fn: Callable[..., Any], run: Claimed | None = None) -> Outcome:
        self.registry.register("work", fn)
        return await self.target.deliver(run or claimed(HANDLER))

    async def failure(self, fn: Callable[..., Any]) -> Failed:
        outcome = await self(fn)
        assert isinstance(outcome, Failed)
        return outcome


@dataclass
class Received:
    """One request, as the service saw it."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Service:
    """A service that keeps what it is sent and answers as it is told."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    reason: str | None = None
    hangs: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    received: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def says(self, value: object, status: int = 200) -> None:
        self.body, self.status = json.dumps(value).encode(), status

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.received.append(Received(request.raw_path, request.headers, body))
        self.arrived.set()
        if self.hangs:
            await self.ended.wait()
        return web.Response(
            status=self.status,
            reason=self.reason,
            body=self.body,
            headers=self.headers,
            content_type=self.content_type,
        )


@asynccontextmanager
async def running_service() -> AsyncIterator[Service]:
    service = Service()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", service.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        service.ended.set()
        await runner.cleanup()


@asynccontextmanager
async def raw_service(script: Script) -> AsyncIterator[str]:
    """The URL of a server that reads a request's head and then does whatever `script` does."""
    at_work: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        at_work.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await script(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)
        await server.wait_closed()
