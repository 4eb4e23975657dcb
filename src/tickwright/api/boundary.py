"""The outermost layers of the application: what every request and every answer goes through.

Invariant: no request is read beyond its limit, and no exception leaves the application unanswered.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tickwright.api.errors import Refused, refused, unexpected
from tickwright.model.json import MAX_JSON_BYTES

MAX_BODY_BYTES = MAX_JSON_BYTES
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:@/+=-]{1,128}")
_ANSWER_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Marked:
    """Gives every request an id, the caller's own if it has one, and every answer safe headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _ANSWER_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, marked)


class Guarded:
    """Bounds what is read of a request, and answers what nothing else has answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            _check_size(scope)
            await self._app(scope, _bounded(receive), watched)
        except Exception as error:
            if begun:
                raise
            await self._answer(error, scope, receive, send)

    async def _answer(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if isinstance(error, Refused):
            answer = await refused(request, error)
        else:
            answer = unexpected(request, error)
        await answer(scope, receive, send)


def too_large() -> Refused:
    """Says so, and that the connection ends: nobody reads the rest of the body."""
    limit = f"the body may have at most {MAX_BODY_BYTES} bytes"
    error = Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", limit)
    error.headers = {"Connection": "close"}
    return error


def _check_size(scope: Scope) -> None:
    length = Headers(scope=scope).get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > MAX_BODY_BYTES:
        raise too_large()


def _bounded(receive: Receive) -> Receive:
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            if read > MAX_BODY_BYTES:
                raise too_large()
        return message

    return bounded
