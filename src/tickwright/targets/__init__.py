"""The members of this room: which class does the work of which target type, loaded when needed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module, metadata
from typing import cast

from tickwright.model.errors import InvalidInput
from tickwright.targets.base import Target

MEMBERS = {
    "handler": "tickwright.targets.handler:HandlerTarget",
    "http": "tickwright.targets.http:HttpTarget",
}
ENTRY_POINTS = "tickwright.targets"


def target_types() -> tuple[str, ...]:
    """Every type that can be loaded here, outside members included."""
    return tuple(sorted({*MEMBERS, *metadata.entry_points(group=ENTRY_POINTS).names}))


def target_class(target_type: object) -> Callable[..., Target]:
    """The class behind `target_type`; each has its own constructor. A member of ours wins."""
    if isinstance(target_type, str):
        if target_type in MEMBERS:
            module, _, name = MEMBERS[target_type].partition(":")
            return cast("Callable[..., Target]", getattr(import_module(module), name))
        for entry in metadata.entry_points(group=ENTRY_POINTS, name=target_type):
            return cast("Callable[..., Target]", entry.load())
    shown = str(target_type)[:50]
    known = ", ".join(target_types())
    raise InvalidInput("target.type", f"{shown!r} is not a type of target; known: {known}")
