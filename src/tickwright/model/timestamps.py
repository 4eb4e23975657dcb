"""RFC 3339 in and out; every moment inside is aware and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from tickwright.model.errors import InvalidInput


def to_rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def from_rfc3339(field: str, text: object) -> datetime:
    """The moment `text` names, in UTC; InvalidInput naming `field` when it is none."""
    if not isinstance(text, str):
        raise InvalidInput(field, "must be an RFC 3339 time such as 2026-03-01T09:00:00Z")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field, f"{text[:40]!r} is not an RFC 3339 time") from None
    return aware(field, moment)


def aware(field: str, moment: object) -> datetime:
    """`moment` in UTC; a naive one is refused, for nobody could say when it is."""
    if not isinstance(moment, datetime):
        raise InvalidInput(field, "must be a datetime")
    if moment.tzinfo is None:
        raise InvalidInput(field, "needs a UTC offset, such as 2026-03-01T09:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(field, "lies outside the years 1 to 9999") from None
