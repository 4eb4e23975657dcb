"""When schedules happen: the members of this room, loaded when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import Trigger, TriggerError, quoted

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["MEMBERS", "Trigger", "TriggerError", "known_kinds", "trigger_from_json"]

MEMBERS = {
    "cron": "tickwright.triggers.cron:Cron",
    "interval": "tickwright.triggers.interval:Interval",
    "one_shot": "tickwright.triggers.one_shot:OneShot",
    "rrule": "tickwright.triggers.rrule:Rrule",
}

_GROUP = "tickwright.triggers"


def trigger_from_json(data: Mapping[str, Any], default_timezone: str | None = None) -> Trigger:
    """The trigger that a wire shape describes; `InvalidInput` names the field that is wrong.

    A member that follows a wall clock has a `lacks_zone(data)` that says whether the shape names
    none; it then follows that of `default_timezone`.
    """
    if not isinstance(data, Mapping):
        raise InvalidInput("trigger", f"must be an object, not {quoted(data)}")
    if "type" not in data:
        raise InvalidInput("trigger.type", f"is missing; known: {', '.join(known_kinds())}")
    kind = data["type"]
    if not isinstance(kind, str):
        raise InvalidInput("trigger.type", f"must be a string, not {quoted(kind)}")
    member = _member(kind)
    lacks_zone = getattr(member, "lacks_zone", None)
    if default_timezone is not None and lacks_zone is not None and lacks_zone(data):
        data = {**data, "timezone": default_timezone}
    return member.from_json(data)


def known_kinds() -> tuple[str, ...]:
    """Every `type` that can be read here, our own first."""
    return (*MEMBERS, *sorted(_outside()))


def _member(kind: str) -> type[Trigger]:
    if kind not in MEMBERS and kind not in _outside():
        known = ", ".join(known_kinds())
        raise InvalidInput("trigger.type", f"{quoted(kind)} is not known; known: {known}")
    return _load(kind)


@cache
def _load(kind: str) -> type[Trigger]:
    if kind in MEMBERS:
        module, _, name = MEMBERS[kind].partition(":")
        return cast("type[Trigger]", getattr(import_module(module), name))
    try:
        member = _outside()[kind].load()
    except Exception as error:
        raise TriggerError(f"the trigger type {kind!r} cannot be loaded: {error}") from error
    if getattr(member, "kind", None) != kind:
        raise TriggerError(f"the trigger type {kind!r} is registered by a class of another kind")
    return cast("type[Trigger]", member)


@cache
def _outside() -> dict[str, EntryPoint]:
    # Imported here because it takes longer than the rest of the room, and most never need it.
    from importlib.metadata import entry_points

    found = entry_points(group=_GROUP)
    return {point.name: point for point in found if point.name not in MEMBERS}
