"""RFC 3339 in and out; every moment inside is aware and in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tickwright.model.errors import InvalidInput

_EXAMPLE = "2026-03-01T09:00:00Z"
_LOCAL = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
)
_RFC3339 = re.compile(_LOCAL.pattern + r"([Zz]|[+-][0-9]{2}:[0-9]{2})")


def to_rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def from_rfc3339(field: str, text: object) -> datetime:
    """The moment `text` names, in UTC; InvalidInput naming `field` when it is none."""
    return aware(field, offset_from_rfc3339(field, text))


def offset_from_rfc3339(field: str, text: object) -> datetime:
    """The moment `text` names, at the offset that it is written with."""
    if not isinstance(text, str):
        raise InvalidInput(field, f"must be a string, such as {_EXAMPLE}")
    if not _RFC3339.fullmatch(text):
        raise InvalidInput(field, f"{text[:40]!a} is not an RFC 3339 time such as {_EXAMPLE}")
    return _read(field, text)


def local_text(field: str, text: object) -> datetime | None:
    """The reading of a clock that `text` names, without a zone; None if it has an offset."""
    if not isinstance(text, str) or not _LOCAL.fullmatch(text):
        return None
    return _read(field, text)


def _read(field: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise InvalidInput(field, f"{text[:40]!a} is not a time: {error}") from None


def aware(field: str, moment: object) -> datetime:
    """`moment` in UTC; a naive one is refused, for nobody could say when it is."""
    if not isinstance(moment, datetime):
        raise InvalidInput(field, "must be a datetime")
    if moment.utcoffset() is None:
        raise InvalidInput(field, f"has no time zone: give an offset or UTC, such as {_EXAMPLE}")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(field, "lies outside the years 1 to 9999 in UTC") from None
