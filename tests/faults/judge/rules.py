"""When a rule happens, found by asking every second one by one; shares nothing with the engine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def instants(trigger: dict[str, Any], after: float, through: float) -> list[int]:
    """The whole seconds in (after, through] at which the rule happens, oldest first."""
    return [second for second in _seconds(after, through) if happens(trigger, second)]


def happens(trigger: dict[str, Any], second: int) -> bool:
    """Whether the rule happens at that second since 1970."""
    kind = trigger["type"]
    if kind == "one_shot":
        return second == epoch(trigger["at"])
    if kind == "interval":
        since = second - epoch(trigger["anchor"])
        return since >= 0 and since % every(trigger["every"]) == 0
    if kind == "cron":
        return _matches(trigger["expression"], datetime.fromtimestamp(second, UTC))
    raise ValueError(f"the judge knows no trigger of type {kind!r}")


def every(text: str) -> int:
    """Seconds of an interval with one unit, such as `3s`."""
    return int(text[:-1]) * _UNITS[text[-1]]


def epoch(text: str) -> int:
    """Whole seconds since 1970 of an RFC 3339 text."""
    return math.floor(datetime.fromisoformat(text).timestamp())


def _seconds(after: float, through: float) -> Iterator[int]:
    return iter(range(math.floor(after) + 1, math.floor(through) + 1))


def _matches(expression: str, moment: datetime) -> bool:
    """Six fields, seconds first; each `*`, `*/n` or a list of numbers; weekday 0 is Sunday."""
    fields = expression.split()
    fields = ["0", *fields] if len(fields) == 5 else fields
    values = (
        moment.second,
        moment.minute,
        moment.hour,
        moment.day,
        moment.month,
        moment.isoweekday() % 7,
    )
    lowest = (0, 0, 0, 1, 1, 0)
    return all(map(_fits, fields, values, lowest))


def _fits(field: str, value: int, lowest: int) -> bool:
    if field == "*":
        return True
    if field.startswith("*/"):
        return (value - lowest) % int(field[2:]) == 0
    return value in [int(part) for part in field.split(",")]
