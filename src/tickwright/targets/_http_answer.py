"""What a service's HTTP answer means for the run; a pure function that trusts nothing in it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from tickwright.model.json import dumps
from tickwright.model.run import Failed, Items, Outcome, Succeeded
from tickwright.model.storable import storable_json, storable_text

MAX_RETRY_AFTER = timedelta(hours=1)
MAX_ITEMS = 10**12
_MAX_PREVIEW_BYTES = 1000
_MAX_REASON_BYTES = 100
_RETRYABLE = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status line, the headers that matter, and as much of the body as was kept."""

    status: int
    reason: str
    body: bytes
    coding: str = ""
    retry_after: str = ""


class _NotJson:
    """Stands for a body that is no JSON; None would be the JSON null."""


_NOT_JSON = _NotJson()


def outcome_of(answer: Answer) -> Outcome:
    """Seed 003's JobResult where the service speaks it, plain HTTP where it does not."""
    said = _decoded(answer)
    report: Mapping[str, Any] = said if isinstance(said, dict) else {}
    if not 200 <= answer.status < 300:
        return _refused(answer, said, report)
    if answer.body and _coded(answer):
        return Failed(f"{_status_line(answer)}: {_unreadable(answer)}", retryable=False)
    if said is _NOT_JSON:
        text = _preview(answer)
        return Succeeded({"body": text} if text else None)
    if report.get("success", True) is True:
        return Succeeded(said, _items(report))
    error = _error(report) or f"the service reported success: {_shown(report['success'])}"
    return Failed(error, result=said, items=_items(report))


def _refused(answer: Answer, said: Any, report: Mapping[str, Any]) -> Failed:
    if 300 <= answer.status < 400:
        error = f"{_status_line(answer)}: redirects are not followed"
        return Failed(error, retryable=False)
    detail = _error(report) or _preview(answer)
    return Failed(
        f"{_status_line(answer)}: {detail}" if detail else _status_line(answer),
        retryable=answer.status in _RETRYABLE or 500 <= answer.status < 600,
        retry_after=_retry_after(answer.retry_after),
        result=None if said is _NOT_JSON else said,
        items=_items(report),
    )


def _status_line(answer: Answer) -> str:
    return f"HTTP {answer.status} {storable_text(answer.reason, _MAX_REASON_BYTES)}".rstrip()


def _coded(answer: Answer) -> bool:
    return answer.coding.strip().lower() not in ("", "identity")


def _unreadable(answer: Answer) -> str:
    coding = storable_text(answer.coding, _MAX_REASON_BYTES)
    return f"the answer is {coding}-coded, though identity was asked for, so nobody can read it"


def _decoded(answer: Answer) -> Any:
    if _coded(answer):
        return _NOT_JSON
    try:
        text = answer.body.decode("utf-8-sig", "replace")
        value = json.loads(text, parse_constant=_no_number, parse_float=_float, parse_int=_int)
    except (ValueError, RecursionError):
        return _NOT_JSON
    return storable_json(value)


def _no_number(_: str) -> None:
    """NaN and the infinities, which many services write and no database takes."""


def _float(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _int(digits: str) -> int | float | None:
    return int(digits) if len(digits) < 20 else _float(digits)


def _items(report: Mapping[str, Any]) -> Items:
    names = ("itemsProcessed", "itemsSucceeded", "itemsFailed")
    return Items(*(_count(report.get(name)) for name in names))


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value <= MAX_ITEMS else 0


def _error(report: Mapping[str, Any]) -> str:
    """The service's own words: seed 003's `error`, or what others call them."""
    for name in ("error", "message", "detail", "title"):
        said = report.get(name)
        if isinstance(said, dict):
            said = said.get("message") or said
        if said:
            return _shown(said)
    return ""


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else dumps(value)
    return storable_text(text, _MAX_PREVIEW_BYTES)


def _preview(answer: Answer) -> str:
    if _coded(answer):
        return ""
    return storable_text(answer.body.decode("utf-8", "replace").strip(), _MAX_PREVIEW_BYTES)


def _retry_after(header: str) -> timedelta | None:
    """A number of seconds; the form with a date needs a clock both sides agree on, so is unread."""
    if not (header.isascii() and header.isdigit()):
        return None
    longest = MAX_RETRY_AFTER // timedelta(seconds=1)
    return timedelta(seconds=min(int(header[:10]), longest))
