"""Errors as RFC 9457 problem documents: a stable `type`, and never a trace or a statement."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from tickwright.api import openapi
from tickwright.api.wire import Answer
from tickwright.model.errors import (
    Conflict,
    InvalidInput,
    ManualDenied,
    NotFound,
    NotPossible,
    StoreUnavailable,
    TickwrightError,
    VersionConflict,
)

_log = logging.getLogger("tickwright.api")

RETRY_AFTER_SECONDS = 5
_STATUSES: Mapping[type, HTTPStatus] = {
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    ManualDenied: HTTPStatus.CONFLICT,
    NotPossible: HTTPStatus.UNPROCESSABLE_ENTITY,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
_REASONS = {
    "extra_forbidden": "is not a known field",
    "missing": "is missing",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
}


class FieldError(Answer):
    """One thing that is wrong with the request."""

    path: str = Field(description="The field or parameter, such as `trigger.expression`.")
    message: str


class Problem(Answer):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Identifies the kind of problem; stable, relative to this API.")
    title: str
    status: int
    detail: str
    errors: list[FieldError] = Field(description="The fields at fault, where there are any.")
    request_id: str | None


class Refused(HTTPException):
    """The request is refused before anything was read from the database."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(status, detail)
        self.code = code


Mistakes = Sequence[tuple[str, str]]


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    errors: Mistakes = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    document = Problem(
        type=f"/problems/{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        errors=[FieldError(path=path, message=message) for path, message in errors],
        request_id=getattr(request.state, "request_id", None),
    )
    return JSONResponse(
        document.model_dump(by_alias=True), status, headers, "application/problem+json"
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems an operation may answer with, for the OpenAPI document."""
    return {status: {"model": Problem} for status in sorted({*statuses, 400, 500, 503})}


def status_of(error: TickwrightError) -> HTTPStatus:
    """The HTTP status that tells of this error; 500 for one that callers should never meet."""
    known = (_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES)
    return next(known, HTTPStatus.INTERNAL_SERVER_ERROR)


def told(error: TickwrightError) -> str:
    """What may be said of it; a driver's words can hold statements and their parameters."""
    if isinstance(error, StoreUnavailable):
        _log.warning("no answer from the database: %s", str(error).partition("\n")[0])
        return "The database cannot be reached; try again in a moment."
    if status_of(error) is HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("a request failed", exc_info=error)
        return "Something went wrong; the server's log says more."
    return str(error)


def mistakes(error: RequestValidationError) -> list[tuple[str, str]]:
    """Path and reason of every field at fault, in the caller's own words."""
    return [
        (".".join(str(part) for part in _path(each["loc"])), _reason(each))
        for each in error.errors()
    ]


def in_words(errors: Iterable[tuple[str, str]]) -> str:
    return "; ".join(f"{path}: {message}" for path, message in errors)


def _path(loc: Sequence[Any]) -> Sequence[Any]:
    return loc[1:] if len(loc) > 1 else loc


def _reason(error: Mapping[str, Any]) -> str:
    known = _REASONS.get(error["type"])
    if known is not None:
        return known
    message = str(error["msg"])
    if error["type"] == "value_error":
        return message.removeprefix("Value error, ")
    return message.replace("Input should", "must")


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, TickwrightError)
    status, headers = status_of(error), {}
    if isinstance(error, VersionConflict) and "if-match" in request.headers:
        status = HTTPStatus.PRECONDITION_FAILED
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    errors = [(error.field, error.reason)] if isinstance(error, InvalidInput) else []
    return problem(request, status, error.code, told(error), errors=errors, headers=headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = mistakes(error)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return problem(request, status, InvalidInput.code, in_words(found), errors=found)


async def refused(request: Request, error: Exception) -> Response:
    """What the framework or the boundary refused, such as an unknown route."""
    assert isinstance(error, HTTPException)
    phrase, headers = HTTPStatus(error.status_code).phrase, error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and openapi.methods_at(request):
        headers = {"Allow": ", ".join(openapi.methods_at(request))}
    code = error.code if isinstance(error, Refused) else phrase.lower().replace(" ", "_")
    return problem(request, error.status_code, code, error.detail, headers=headers)


def unexpected(request: Request, error: Exception) -> Response:
    """A mistake of ours: the log gets all of it, the caller none."""
    _log.error("%s %r failed", request.method, request.scope["path"], exc_info=error)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    detail = "Something went wrong; the server's log says more."
    return problem(request, status, "internal_error", detail)


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""
    app.add_exception_handler(TickwrightError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, refused)
