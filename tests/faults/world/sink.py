"""The service that runs are delivered to: it writes down every request and misbehaves on command.

Invariant: a request that was received is written down before anything is answered, and only an
answer that was handed to a living connection counts as sent.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import time
from dataclasses import dataclass, fields, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from aiohttp import web

from tests.faults.judge.history import Delivery

OK = 200
_STOP_SECONDS = 0.1
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Mood:
    """How a request is met: after `delay` seconds with `status`, never, or with a reset.

    With `attempts` only that many attempts of a run are met so, and later ones as usual.
    """

    delay: float = 0.0
    status: int = OK
    hang: bool = False
    reset: bool = False
    attempts: int | None = None


GOOD = Mood()
_WORDS = {field.name for field in fields(Mood)}


class Sink:
    """Answers POSTs at `/jobs/{anything}`; `url` is what the scheduler calls the service.

    `mood` is for everybody; what a payload says of itself (the words of `Mood`) comes on top.
    """

    def __init__(self) -> None:
        self.mood = GOOD
        self.url = ""
        self._deliveries: list[Delivery] = []
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/jobs/{name:.+}", self._meet)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything so far; what got no answer, or none yet, has no status."""
        return list(self._deliveries)

    async def _meet(self, request: web.Request) -> web.StreamResponse:
        arrived = _now()
        number = len(self._deliveries)
        headers = request.headers
        delivery = Delivery(
            run=UUID(headers["X-Scheduler-Execution-Id"]).hex,
            key=headers["Idempotency-Key"],
            attempt=int(headers["X-Scheduler-Attempt"]),
            nominal_at=datetime.fromisoformat(headers["X-Scheduler-Nominal"]).timestamp(),
            at=arrived,
            answered_at=None,
            status=None,
        )
        self._deliveries.append(delivery)
        mood = self._mood(await request.json(), delivery.attempt)
        answer = web.json_response({"success": mood.status == OK}, status=mood.status)
        if await self._answer(request, mood, answer):
            self._deliveries[number] = replace(delivery, answered_at=_now(), status=mood.status)
        return answer

    def _mood(self, body: dict[str, Any], attempt: int) -> Mood:
        asked = {name: value for name, value in body["config"].items() if name in _WORDS}
        mood = replace(self.mood, **asked)
        if mood.attempts is not None and attempt > mood.attempts:
            return replace(GOOD, delay=mood.delay)
        return mood

    async def _answer(self, request: web.Request, mood: Mood, answer: web.Response) -> bool:
        """Do what `mood` says; whether an answer went out."""
        await self._wait(request, math.inf if mood.hang else mood.delay)
        if mood.reset or mood.hang:
            _reset(request)
        if not _connected(request):
            return False
        try:
            await answer.prepare(request)
            await answer.write_eof()
        except ConnectionError:
            return False
        return True

    async def _wait(self, request: web.Request, seconds: float) -> None:
        """Wait that long, but no longer than somebody waits for the answer."""
        ends = time.monotonic() + seconds
        while _connected(request) and not self._stopping.is_set():
            left = ends - time.monotonic()
            if left <= 0:
                break
            await asyncio.sleep(min(left, _LOOK_SECONDS))


def _connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def _reset(request: web.Request) -> None:
    """Break the connection so that the other side is told of it at once."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _now() -> float:
    return time.time()  # noqa: TID251 - histories are in real time
