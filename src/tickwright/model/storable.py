"""Text and JSON from outside, made fit for any database: no NUL, no lone surrogates, bounded."""

from __future__ import annotations

from typing import Any

from tickwright.model.json import MAX_DEPTH


def storable_text(text: str, limit: int) -> str:
    """The first `limit` bytes of `text`, with what cannot be stored replaced."""
    return _encoded(text[:limit])[:limit].decode("utf-8", "ignore")


def storable_tail(text: str, limit: int) -> str:
    """The last `limit` bytes of `text`, with what cannot be stored replaced."""
    return _encoded(text[-limit:])[-limit:].decode("utf-8", "ignore")


def storable_json(value: Any, level: int = 1) -> Any:
    """A decoded JSON value with all its texts storable; what is nested too deep becomes null."""
    if isinstance(value, str):
        return _encoded(value).decode()
    if not isinstance(value, dict | list):
        return value
    if level >= MAX_DEPTH:
        return None
    if isinstance(value, list):
        return [storable_json(item, level + 1) for item in value]
    return {_encoded(key).decode(): storable_json(item, level + 1) for key, item in value.items()}


def _encoded(text: str) -> bytes:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")
