"""A fixed rate: anchor + n x interval in elapsed seconds; nothing but an edit moves the anchor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

import durationpy

from tickwright.model.errors import InvalidInput
from tickwright.model.timestamps import aware, from_rfc3339, to_rfc3339
from tickwright.triggers.base import (
    TriggerError,
    check_fields,
    quoted,
    text_of,
)

EVERY = "trigger.every"
ANCHOR = "trigger.anchor"

SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=3653)

_UNITS = (("d", "day", 86_400), ("h", "hour", 3600), ("m", "minute", 60), ("s", "second", 1))

# durationpy skips what it does not know between two parts, takes `mm` and `y` for 30 and 365 days,
# reads digits of any
# script and rounds to microseconds.
_SHAPE = re.compile(
    "".join(rf"(?:[0-9]+(?:\.[0-9]{{1,3}})?{unit})?" for unit in ("w", "d", "h", "m", "s"))
)
_MAX_TEXT = 32


def every(interval: str | timedelta, *, anchor: datetime | None = None) -> Interval:
    """At a fixed rate, such as "15m" or "1h30m", counted from `anchor` or else from creation."""
    return Interval(
        interval if isinstance(interval, timedelta) else _interval_from_text(interval), anchor
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """Happens every so many seconds; a day is always 86,400 of them, whatever the clocks do."""

    kind: ClassVar[str] = "interval"
    recurring: ClassVar[bool] = True

    every: timedelta
    anchor: datetime | None = None

    def __post_init__(self) -> None:
        _check_interval(self.every)
        if self.anchor is not None:
            object.__setattr__(self, "anchor", aware(ANCHOR, self.anchor))

    def next_after(self, moment: datetime) -> datetime | None:
        if self.anchor is None:
            raise TriggerError("an interval without an anchor has no instants: anchor it first")
        if moment < self.anchor:
            return self.anchor
        steps = (moment - self.anchor) // self.every + 1
        try:
            return self.anchor + steps * self.every
        except OverflowError:
            return None

    def anchored(self, moment: datetime) -> Self:
        return self if self.anchor is not None else replace(self, anchor=moment)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"type": self.kind, "every": _interval_text(self.every)}
        if self.anchor is not None:
            data["anchor"] = to_rfc3339(self.anchor)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        check_fields(data, cls.kind, required=("every",), optional=("anchor",))
        anchor = from_rfc3339(ANCHOR, data["anchor"]) if "anchor" in data else None
        return cls(_interval_from_text(data["every"]), anchor)

    def describe(self) -> str:
        parts = [(count, name) for count, _, name in _parts(self.every)]
        if len(parts) == 1 and parts[0][0] == 1:
            return f"every {parts[0][1]}"
        words = [f"{count} {name}{'s' if count > 1 else ''}" for count, name in parts]
        return "every " + (", ".join(words[:-1]) + " and " if words[:-1] else "") + words[-1]


def _interval_from_text(value: object) -> timedelta:
    text = text_of(value, EVERY)
    if not text or len(text) > _MAX_TEXT or not _SHAPE.fullmatch(text):
        raise InvalidInput(
            EVERY, f"{quoted(text)} is not an interval such as 30s, 15m, 2h, 1d, 1w or 1h30m"
        )
    try:
        return durationpy.from_str(text)
    except durationpy.DurationError:
        raise InvalidInput(EVERY, f"{quoted(text)} is longer than 10 years") from None


def _check_interval(value: object) -> None:
    if not isinstance(value, timedelta):
        raise InvalidInput(EVERY, f"must be a duration, not {quoted(value)}")
    if value < SHORTEST:
        raise InvalidInput(EVERY, "must be at least one second")
    if value > LONGEST:
        raise InvalidInput(EVERY, f"must be at most 10 years ({LONGEST.days} days)")
    if value.microseconds:
        raise InvalidInput(EVERY, "must be whole seconds")


def _parts(value: timedelta) -> list[tuple[int, str, str]]:
    left = value // SHORTEST
    parts = []
    for unit, name, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append((count, unit, name))
    return parts


def _interval_text(value: timedelta) -> str:
    return "".join(f"{count}{unit}" for count, unit, _ in _parts(value))
