"""A schedule's two layers: what was registered, and what somebody overrode. Pure.

Invariant: registering again never undoes an override; what is in force is the override's group
where there is one, else the registered one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from tickwright.model.durations import duration_from_text
from tickwright.model.json import JsonObject
from tickwright.model.schedule import Misfire, Overlap, Schedule
from tickwright.model.timestamps import from_rfc3339, to_rfc3339
from tickwright.model.timing import OnClosed, OutsideWindow, Timing, Window
from tickwright.service.options import Wishes
from tickwright.triggers import Trigger

_TIMING = ("calendars", "on_closed", "window", "outside_window", "jitter")
Layer = Mapping[str, Mapping[str, Any]]
GROUPS: Mapping[str, tuple[str, ...]] = {
    "trigger": ("trigger", "starts_at", "ends_at", *_TIMING),
    "target": ("target", "payload"),
    "policy": ("max_runs", "misfire", "overlap", "overlap_limit", "allow_manual"),
    "status": ("enabled",),
}
_DEFAULTS: Mapping[str, Any] = {
    "starts_at": None,
    "ends_at": None,
    "calendars": [],
    "on_closed": OnClosed.SKIP.value,
    "window": None,
    "outside_window": OutsideWindow.SKIP.value,
    "jitter": "0s",
    "payload": {},
    "max_runs": None,
    "misfire": Misfire.FIRE_ONCE.value,
    "overlap": Overlap.SKIP.value,
    "overlap_limit": 1,
    "allow_manual": True,
    "enabled": True,
}


def registered_layer(trigger: Trigger, wishes: Wishes, target: JsonObject) -> dict[str, Any]:
    """The whole layer a registration states; what it leaves out has its default."""
    values = {**_DEFAULTS, "target": target, **wishes.given, "trigger": trigger.to_json()}
    return {
        group: {name: _plain(values[name]) for name in names} for group, names in GROUPS.items()
    }


def overridden(schedule: Schedule, wishes: Wishes, trigger: Trigger | None) -> dict[str, Any]:
    """The override layer after an edit: each group it touches, complete."""
    edited = dict(wishes.given)
    if trigger is not None:
        edited["trigger"] = trigger.to_json()
    layer = {group: dict(values) for group, values in schedule.override.items()}
    for group, names in GROUPS.items():
        touched = {name: _plain(edited[name]) for name in names if name in edited}
        if touched:
            layer[group] = {**in_force(schedule.registered, schedule.override)[group], **touched}
    return layer


FILLED_IN = ("anchor", "seed")
"""What a trigger takes from its schedule when it is given none."""


def in_force(registered: Layer, override: Layer) -> dict[str, dict[str, Any]]:
    return {group: dict(override.get(group) or registered.get(group) or {}) for group in GROUPS}


def with_layers(schedule: Schedule, registered: Layer, override: Layer) -> Schedule:
    """The schedule with these layers, and what follows from them in force (status aside)."""
    values = {
        name: value
        for group in in_force(registered, override).values()
        for name, value in group.items()
    }
    return replace(
        schedule,
        registered=registered,
        override=override,
        trigger=values["trigger"],
        starts_at=_moment(values["starts_at"]),
        ends_at=_moment(values["ends_at"]),
        timing=_timing(values),
        target=values["target"],
        payload=values["payload"],
        max_runs=values["max_runs"],
        misfire=Misfire(values["misfire"]),
        overlap=Overlap(values["overlap"]),
        overlap_limit=values.get("overlap_limit", 1),
        allow_manual=values.get("allow_manual", True),
    )


def _timing(values: Mapping[str, Any]) -> Timing | None:
    """None where every instant is due as it stands; a row may be older than these words."""
    said = {name: values.get(name, _DEFAULTS[name]) for name in _TIMING}
    timing = Timing(
        calendars=tuple(said["calendars"]),
        on_closed=OnClosed(said["on_closed"]),
        window=Window.from_text(said["window"]) if said["window"] else None,
        outside_window=OutsideWindow(said["outside_window"]),
        jitter=duration_from_text("jitter", said["jitter"]),
        timezone=values["trigger"].get("timezone", "UTC"),
    )
    return None if timing.plain else timing


def wants_enabled(registered: Layer, override: Layer) -> bool:
    return bool(in_force(registered, override)["status"].get("enabled", True))


def same_rule(one: JsonObject, other: JsonObject) -> bool:
    """Whether two triggers differ at most in what was filled in for one of them."""
    return _as_given(one) == _as_given(other)


def _as_given(trigger: JsonObject) -> dict[str, Any]:
    return {name: value for name, value in trigger.items() if name not in FILLED_IN}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_rfc3339(value)
    if isinstance(value, StrEnum):
        return value.value
    return value


def _moment(text: str | None) -> datetime | None:
    return None if text is None else from_rfc3339("startsAt", text)
