"""What members share in refusing a target's JSON: the right type, all of its fields, no others."""

from __future__ import annotations

from collections.abc import Mapping

from tickwright.model.errors import InvalidInput


def text_fields(target: object, target_type: str, *names: str) -> tuple[str, ...]:
    """The texts under `names`, in that order; InvalidInput when `target` holds less or more."""
    if not isinstance(target, Mapping):
        raise InvalidInput("target", "must be a JSON object")
    if target.get("type") != target_type:
        raise InvalidInput("target.type", f"must be {target_type!r}")
    for field in target:
        if field != "type" and field not in names:
            shown = ascii(str(field)[:50])[1:-1]
            raise InvalidInput(f"target.{shown}", f"is unknown; known: {', '.join(names)}")
    return tuple(_text(target, name) for name in names)


def _text(target: Mapping[str, object], name: str) -> str:
    if name not in target:
        raise InvalidInput(f"target.{name}", "is missing")
    value = target[name]
    if not isinstance(value, str):
        raise InvalidInput(f"target.{name}", "must be a text")
    return value
