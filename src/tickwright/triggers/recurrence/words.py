"""A recurrence rule in plain English."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tickwright.triggers.recurrence.parts import Freq, Parts

_UNITS = {
    Freq.YEARLY: "year",
    Freq.MONTHLY: "month",
    Freq.WEEKLY: "week",
    Freq.DAILY: "day",
    Freq.HOURLY: "hour",
    Freq.MINUTELY: "minute",
    Freq.SECONDLY: "second",
}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MOST_TIMES = 6


def explain_rule(parts: Parts, start: datetime) -> str:
    """The rule with what it takes from its start, but without its zone."""
    dated = parts if parts.freq.stepped else parts.dated(start)
    unit = _UNITS[parts.freq]
    words = [f"every {unit}" if parts.interval == 1 else f"every {parts.interval} {unit}s"]
    words += _dates(dated)
    words += _filters(parts) if parts.freq.stepped else _times(parts, start)
    if parts.by_set_pos:
        chosen = _joined(_ordinal(place) for place in sorted(parts.by_set_pos, key=_from_front))
        words.append(f"(only the {chosen} of each {unit})")
    if parts.count is not None:
        words.append("once" if parts.count == 1 else f"{parts.count} times")
    if parts.until is not None:
        zone = " UTC" if parts.until.tzinfo else ""
        words.append(f"until {parts.until.replace(tzinfo=None)}{zone}")
    return " ".join(words)


def _dates(parts: Parts) -> list[str]:
    words = []
    if parts.by_day:
        words.append(f"on {_joined(map(_day, _in_order(parts.by_day)))}")
    if parts.by_month_day:
        days = _joined(_ordinal(day) for day in sorted(parts.by_month_day, key=_from_front))
        words.append(f"on the {days} day of the month")
    if parts.by_year_day:
        days = _joined(_ordinal(day) for day in sorted(parts.by_year_day, key=_from_front))
        words.append(f"on the {days} day of the year")
    if parts.by_week_no:
        weeks = _joined(_ordinal(week) for week in sorted(parts.by_week_no, key=_from_front))
        words.append(f"in the {weeks} week of the year")
    if parts.by_month:
        words.append(f"in {_joined(_MONTHS[month - 1] for month in parts.by_month)}")
    return words


def _times(parts: Parts, start: datetime) -> list[str]:
    hours, minutes = parts.by_hour or (start.hour,), parts.by_minute or (start.minute,)
    seconds = parts.by_second or (start.second,)
    if len(hours) * len(minutes) * len(seconds) > _MOST_TIMES:
        return [f"at {_listed(hours, 'hour')}, {_listed(minutes, 'minute')}"]
    shown = [
        f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")
        for hour in hours
        for minute in minutes
        for second in seconds
    ]
    return [f"at {_joined(shown)}"]


def _filters(parts: Parts) -> list[str]:
    named = (("hour", parts.by_hour), ("minute", parts.by_minute), ("second", parts.by_second))
    found = [_listed(values, name) for name, values in named if values]
    return [f"at {', '.join(found)}"] if found else []


def _listed(values: tuple[int, ...], name: str) -> str:
    return f"{name}{'s' if len(values) > 1 else ''} {_joined(map(str, values))}"


def _day(day: tuple[int, int]) -> str:
    number, which = day
    return f"the {_ordinal(number)} {_DAYS[which]}" if number else _DAYS[which]


def _in_order(days: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted(days, key=lambda day: (_from_front(day[0]), day[1]))


def _from_front(number: int) -> tuple[bool, int]:
    return number < 0, number


def _ordinal(number: int) -> str:
    if number == -1:
        return "last"
    size = abs(number)
    ending = "th" if 10 <= size % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(size % 10, "th")
    return f"{size}{ending}" + (" to last" if number < 0 else "")


def _joined(words: Iterable[str]) -> str:
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
