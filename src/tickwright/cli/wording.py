"""Moments and rules in words, for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tickwright.model.calendar import CalendarException, HolidaySource, Weekday, local_text
from tickwright.model.durations import duration_text
from tickwright.model.errors import TickwrightError
from tickwright.model.job import Backoff, BackoffKind, Rate
from tickwright.model.json import JsonObject
from tickwright.model.report import LogLine
from tickwright.model.run import Progress

_UNITS = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("min", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)


def moment_in_words(moment: datetime | None, now: datetime) -> str:
    """`2026-03-01 09:00:00 (in 3 h)` on the clock of this machine, or a dash."""
    if moment is None:
        return "-"
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S} ({away(moment, now)})"


def away(moment: datetime, now: datetime) -> str:
    """How far `moment` lies from `now`, in the largest unit that fits."""
    distance = abs(moment - now)
    for unit, size in _UNITS:
        if distance >= size:
            amount = f"{distance // size} {unit}"
            return f"in {amount}" if moment > now else f"{amount} ago"
    return "now"


def progress_in_words(progress: Progress) -> str:
    """Such as `50 of 200 (25 %), copying`."""
    words = f"{progress.done:g}"
    if progress.total is not None:
        words = f"{words} of {progress.total:g}"
        if progress.total:
            words = f"{words} ({progress.done / progress.total:.0%})".replace("%", " %")
    return f"{words}, {progress.message}" if progress.message else words


def line_in_words(line: LogLine) -> str:
    """One line of a log, on the clock of this machine; what follows in it is set in."""
    said = f"{line.logger}: {line.text}" if line.logger else line.text
    head = f"{line.at.astimezone():%Y-%m-%d %H:%M:%S} {line.level.upper():<8} "
    return head + "\n    ".join(said.splitlines())


def backoff_in_words(backoff: Backoff) -> str:
    """The delays between attempts, such as `10s x 2 up to 1h, half random`."""
    base, cap = duration_text(backoff.base), duration_text(backoff.cap)
    words = {
        BackoffKind.NONE: "none",
        BackoffKind.FIXED: base,
        BackoffKind.LINEAR: f"{base} more each time up to {cap}",
        BackoffKind.EXPONENTIAL: f"{base} x {backoff.factor:g} up to {cap}",
        BackoffKind.LIST: ", ".join(duration_text(delay) for delay in backoff.delays),
    }[backoff.kind]
    random = backoff.jitter and backoff.kind is not BackoffKind.NONE
    return f"{words}, half random" if random else words


def rate_in_words(rate: Rate, key: str | None) -> str:
    """Such as `100 starts per 1m for each customer.id`."""
    words = f"{rate.starts} starts per {duration_text(rate.per)}"
    return f"{words} for each {key}" if rate.by_key else words


def week_in_words(weekdays: Sequence[Weekday]) -> str:
    """Such as `mon tue wed thu fri`."""
    return " ".join(weekdays) or "none"


def holidays_in_words(sources: Sequence[HolidaySource]) -> str:
    """Such as `DE-BY, AT`."""
    codes = ["-".join(filter(None, (each.country, each.subdivision))) for each in sources]
    return ", ".join(codes) or "none"


def exception_in_words(exception: CalendarException) -> str:
    """Such as `closed 2026-12-24..2026-12-31 Works holiday`."""
    first, last = local_text(exception.starts), local_text(exception.ends)
    span = first if first == last else f"{first}..{last}"
    return " ".join(filter(None, (exception.kind.value, span, exception.name)))


def rule_in_words(trigger: JsonObject) -> str:
    """What the trigger says; its type when this version cannot read it."""
    return in_words(trigger) or f"{trigger.get('type', 'unknown')} (cannot be read)"


def in_words(trigger: JsonObject) -> str | None:
    from tickwright.triggers import trigger_from_json

    try:
        return trigger_from_json(trigger).describe()
    except TickwrightError:
        return None
