"""A fixed rate: anchor + n x interval in elapsed seconds; nothing but an edit moves the anchor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from tickwright.model.durations import duration_from_text, duration_text
from tickwright.model.errors import InvalidInput
from tickwright.model.timestamps import aware, from_rfc3339, to_rfc3339
from tickwright.triggers.base import (
    TriggerError,
    check_fields,
    quoted,
)

EVERY = "trigger.every"
ANCHOR = "trigger.anchor"

SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=3653)
_TICK = timedelta(microseconds=1)

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def every(interval: str | timedelta, *, anchor: datetime | None = None) -> Interval:
    """At a fixed rate, such as "15m" or "1h30m", counted from `anchor` or else from creation."""
    return Interval(
        interval if isinstance(interval, timedelta) else duration_from_text(EVERY, interval), anchor
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
        anchor = self._anchor()
        if moment < anchor:
            return anchor
        steps = (moment - anchor) // self.every + 1
        try:
            return anchor + steps * self.every
        except OverflowError:
            return None

    def previous_before(self, moment: datetime) -> datetime | None:
        anchor = self._anchor()
        if moment <= anchor:
            return None
        return anchor + (moment - anchor - _TICK) // self.every * self.every

    def _anchor(self) -> datetime:
        if self.anchor is None:
            raise TriggerError("an interval without an anchor has no instants: anchor it first")
        return self.anchor

    def anchored(self, moment: datetime, seed: str = "") -> Self:
        return self if self.anchor is not None else replace(self, anchor=moment)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"type": self.kind, "every": duration_text(self.every)}
        if self.anchor is not None:
            data["anchor"] = to_rfc3339(self.anchor)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        check_fields(data, cls.kind, required=("every",), optional=("anchor",))
        anchor = from_rfc3339(ANCHOR, data["anchor"]) if "anchor" in data else None
        return cls(duration_from_text(EVERY, data["every"]), anchor)

    def describe(self) -> str:
        parts = _parts(self.every)
        if len(parts) == 1 and parts[0][0] == 1:
            return f"every {parts[0][1]}"
        words = [f"{count} {name}{'s' if count > 1 else ''}" for count, name in parts]
        return "every " + (", ".join(words[:-1]) + " and " if words[:-1] else "") + words[-1]


def _check_interval(value: object) -> None:
    if not isinstance(value, timedelta):
        raise InvalidInput(EVERY, f"must be a duration, not {quoted(value)}")
    if value < SHORTEST:
        raise InvalidInput(EVERY, "must be at least one second")
    if value > LONGEST:
        raise InvalidInput(EVERY, f"must be at most 10 years ({LONGEST.days} days)")
    if value.microseconds:
        raise InvalidInput(EVERY, "must be whole seconds")


def _parts(value: timedelta) -> list[tuple[int, str]]:
    left = value // SHORTEST
    parts = []
    for name, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append((count, name))
    return parts
