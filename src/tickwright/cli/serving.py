"""HTTP and engine side by side: they start independently and drain together.

Invariant: a signal stops claiming at once, and requests and runs share one grace time.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
import uvicorn
from fastapi import FastAPI

from tickwright.api import create_app
from tickwright.bootstrap import package_version
from tickwright.cli.listening import url_of
from tickwright.cli.process import started_or_told, stop_signals
from tickwright.config import Settings
from tickwright.model.scope import Scope
from tickwright.service.scheduler import Scheduler


class Server(uvicorn.Server):
    """uvicorn without its signal handling, which raises the signal again when all is done."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


async def serve_until_told(scheduler: Scheduler, settings: Settings, sock: socket.socket) -> None:
    """Answer requests, plan and execute until a signal comes, then drain both."""
    version = package_version()
    scope = Scope(settings.default_tenant)
    # The engine is started here: requests are answered while the database is still away.
    app = create_app(
        scheduler,
        default_scope=scope,
        version=version,
        manage=False,
        allowed_origin=settings.frontend_url,
    )
    server = Server(_config(app, settings), lambda: _announce(url_of(sock), version))
    told = asyncio.Event()
    with stop_signals(told.set):
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        serving.add_done_callback(lambda _: told.set())
        try:
            if await started_or_told(scheduler, told):
                await told.wait()
        finally:
            server.should_exit = True
            await asyncio.gather(scheduler.stop(), serving)
            # Requests that ended after the engine may have opened connections again.
            await scheduler.stop()


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=math.ceil(settings.grace_seconds),
    )


def _announce(url: str, version: str) -> None:
    typer.echo(f"Tickwright {version} answers at {url}; its documentation is at {url}/docs")
