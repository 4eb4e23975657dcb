"""What JSON values are, and the check that a value is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tickwright.model.errors import InvalidInput

JsonObject = Mapping[str, Any]
MAX_JSON_BYTES = 1024 * 1024
MAX_DEPTH = 50
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def dumps(value: Any) -> str:
    """Compact JSON text; ValueError or TypeError for what JSON cannot say."""
    return _encode(value)


loads = json.loads


def checked_object(field: str, value: object) -> dict[str, Any]:
    """`value` as a plain JSON object of at most 1 MiB; InvalidInput naming `field` otherwise."""
    if not isinstance(value, Mapping):
        raise InvalidInput(field, "must be a JSON object")
    text = checked_text(field, value)
    plain: dict[str, Any] = json.loads(text)
    return plain


def checked_text(field: str, value: object) -> str:
    """The JSON text of `value`, refused when it is too large, too deep or not storable."""
    _check_shape(field, value)
    try:
        text = _encode(value)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(field, f"cannot be written as JSON: {error}") from None
    if size > MAX_JSON_BYTES:
        raise InvalidInput(field, f"has {size} bytes as JSON; at most {MAX_JSON_BYTES} are allowed")
    return text


def _check_shape(field: str, value: object) -> None:
    """Bounded whatever the value is: lists that hold each other grow without end when walked."""
    layer, seen = [value], 0
    for _ in range(MAX_DEPTH):
        seen += len(layer)
        if seen > MAX_JSON_BYTES:
            raise InvalidInput(field, f"holds more than {MAX_JSON_BYTES} values")
        for item in layer:
            if isinstance(item, str) and "\x00" in item:
                raise InvalidInput(field, "holds a NUL character, which cannot be stored")
        layer = [child for parent in layer for child in _children(parent)]
        if not layer:
            return
    raise InvalidInput(field, f"is nested deeper than {MAX_DEPTH} levels")


def _children(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    return list(value) if isinstance(value, list | tuple) else []
