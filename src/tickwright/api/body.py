"""The one reader of requests: what another parser could read differently is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, NoReturn

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from tickwright.api.errors import Refused
from tickwright.model.errors import InvalidInput
from tickwright.model.json import checked_text

_MAX_INTEGER = 2**63 - 1
_MAX_DIGITS = 20


def read_json(raw: bytes) -> Any:
    """The value of a JSON text; Refused for what is malformed, ambiguous or not storable."""
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_integer,
        )
        checked_text("body", value)
    except UnicodeDecodeError:
        _refuse("the body is not UTF-8")
    except json.JSONDecodeError as error:
        _refuse(f"the body is not JSON: {error.msg} at character {error.pos}")
    except RecursionError:
        _refuse("the body is nested too deeply")
    except InvalidInput as error:
        _refuse(f"the body {error.reason}")
    return value


class _Checked(Request):
    """A request whose JSON is read by our own rules."""

    wanted = "application/json"

    async def body(self) -> bytes:
        raw = await super().body()
        if raw and not self.is_wanted(self.headers.get("content-type", "")):
            raise Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                f"the body must be sent as {self.wanted}",
            )
        return raw

    def is_wanted(self, content_type: str) -> bool:
        return _is_json(content_type)

    async def json(self) -> Any:
        return read_json(await self.body())


class _Ics(_Checked):
    """A request whose body is an iCalendar file."""

    wanted = "text/calendar"

    def is_wanted(self, content_type: str) -> bool:
        return content_type.partition(";")[0].strip().lower() == self.wanted


class JsonRoute(APIRoute):
    """A route that reads its body with `read_json`, and refuses a URL no database could keep."""

    request_class: type[_Checked] = _Checked

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            _check_url(request.scope)
            return await handle(self.request_class(request.scope, request.receive))

        return handler


class IcsRoute(JsonRoute):
    """A route whose body is an iCalendar file."""

    request_class = _Ics


def _check_url(scope: Scope) -> None:
    if "\x00" in scope["path"] or b"%00" in scope.get("query_string", b""):
        raise Refused(HTTPStatus.BAD_REQUEST, "malformed_url", "the URL holds a NUL character")


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    kind, _, subtype = media_type.partition("/")
    return kind == "application" and (subtype == "json" or subtype.endswith("+json"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        _refuse("the body has an object in which a name occurs twice")
    return found


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= _MAX_DIGITS else _MAX_INTEGER + 1
    if not -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER:
        _refuse("the body holds an integer beyond 64 bits")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _refuse("the body holds a number that is too large")
    return value


def _no_number(name: str) -> NoReturn:
    _refuse(f"the body holds {name}, which is no JSON number")


def _refuse(reason: str) -> NoReturn:
    raise Refused(HTTPStatus.BAD_REQUEST, "malformed_json", reason)
