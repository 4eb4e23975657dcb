"""The parts of an RRULE, read and checked; what is accepted has one meaning by RFC 5545."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum
from functools import partial
from typing import Any

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import quoted

RULE = "trigger.rule"

MAX_RULE = 2000
_MOST = 10_000_000
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?[0-9]{1,8}")
_TIME = re.compile(r"([0-9]{8}T[0-9]{6})(Z?)")


class Freq(IntEnum):
    """How long a period is; ordered from the shortest."""

    SECONDLY = 0
    MINUTELY = 1
    HOURLY = 2
    DAILY = 3
    WEEKLY = 4
    MONTHLY = 5
    YEARLY = 6

    @property
    def stepped(self) -> bool:
        """Whether it is a matter of elapsed time rather than of dates."""
        return self < Freq.DAILY


@dataclass(frozen=True, slots=True)
class Parts:
    """What a rule says. Weekdays are numbered from Monday, 0; a `by_day` without number has 0."""

    freq: Freq
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    by_second: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_hour: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_week_no: tuple[int, ...] = ()
    by_month: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0

    def dated(self, start: datetime) -> Parts:
        """With the dates that a rule which names none takes from its start."""
        if self.by_day or self.by_month_day or self.by_year_day:
            return self
        if self.freq is Freq.WEEKLY or self.by_week_no:
            return replace(self, by_day=((0, start.weekday()),))
        if self.freq is Freq.MONTHLY:
            return replace(self, by_month_day=(start.day,))
        if self.freq is Freq.YEARLY:
            months = self.by_month or (start.month,)
            return replace(self, by_month=months, by_month_day=(start.day,))
        return self


def parse_rule(rule: str) -> Parts:
    """The parts of a rule in capitals; InvalidInput says which one is wrong."""
    if len(rule) > MAX_RULE:
        raise InvalidInput(RULE, f"is longer than {MAX_RULE} characters")
    found: dict[str, Any] = {}
    for part in rule.split(";"):
        name, equals, value = part.partition("=")
        if not equals or name not in _READERS:
            raise InvalidInput(RULE, f"{quoted(part)} is no part of a rule such as FREQ=DAILY")
        attribute, read = _READERS[name]
        if attribute in found:
            raise InvalidInput(RULE, f"{name} is given twice")
        found[attribute] = read(name, value)
    if "freq" not in found:
        raise InvalidInput(RULE, "needs a FREQ, such as FREQ=DAILY")
    parts = Parts(**found)
    _check(parts)
    return parts


def moment_of(value: str, field: str, what: str) -> datetime:
    """A time such as 20260131T090000, naive, or in UTC with a Z at its end."""
    found = _TIME.fullmatch(value)
    try:
        if found is None:
            raise ValueError("it is none")
        moment = datetime.strptime(found[1], "%Y%m%dT%H%M%S")  # noqa: DTZ007 - a reading
    except ValueError:
        raise InvalidInput(
            field, f"{what} {quoted(value)} is not a time such as 20260131T090000 or …Z"
        ) from None
    return moment.replace(tzinfo=UTC) if found[2] else moment


def _freq(name: str, value: str) -> Freq:
    if value not in Freq.__members__:
        known = ", ".join(reversed(Freq.__members__))
        raise InvalidInput(RULE, f"{name} must be one of {known}, not {quoted(value)}")
    return Freq[value]


def _number(name: str, value: str, *, low: int = 1, high: int = _MOST) -> int:
    if not _NUMBER.fullmatch(value) or not low <= int(value) <= high:
        raise InvalidInput(RULE, f"{name} must be {low} to {high}, not {quoted(value)}")
    return int(value)


def _numbers(name: str, value: str, *, low: int, high: int, signed: bool = False) -> Any:
    found = {_number(name, each, low=-high if signed else low, high=high) for each in _list(value)}
    if signed and 0 in found:
        raise InvalidInput(RULE, f"{name} must not be 0")
    return tuple(sorted(found))


def _list(value: str) -> list[str]:
    return value.split(",")


def _days(name: str, value: str) -> tuple[tuple[int, int], ...]:
    days = set()
    for each in _list(value):
        found = _DAY.fullmatch(each)
        number = int(found[1]) if found and found[1] else 0
        if found is None or (found[1] and not 1 <= abs(number) <= 53):
            raise InvalidInput(RULE, f"{name}: {quoted(each)} is no day such as MO, 2TU or -1FR")
        days.add((number, _DAYS.index(found[2])))
    return tuple(sorted(days))


def _week_start(name: str, value: str) -> int:
    if value not in _DAYS:
        raise InvalidInput(RULE, f"{name} must be one of {', '.join(_DAYS)}, not {quoted(value)}")
    return _DAYS.index(value)


def _until(name: str, value: str) -> datetime:
    return moment_of(value, RULE, name)


_READERS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "FREQ": ("freq", _freq),
    "INTERVAL": ("interval", _number),
    "COUNT": ("count", _number),
    "UNTIL": ("until", _until),
    "BYSECOND": ("by_second", partial(_numbers, low=0, high=59)),
    "BYMINUTE": ("by_minute", partial(_numbers, low=0, high=59)),
    "BYHOUR": ("by_hour", partial(_numbers, low=0, high=23)),
    "BYDAY": ("by_day", _days),
    "BYMONTHDAY": ("by_month_day", partial(_numbers, low=1, high=31, signed=True)),
    "BYYEARDAY": ("by_year_day", partial(_numbers, low=1, high=366, signed=True)),
    "BYWEEKNO": ("by_week_no", partial(_numbers, low=1, high=53, signed=True)),
    "BYMONTH": ("by_month", partial(_numbers, low=1, high=12)),
    "BYSETPOS": ("by_set_pos", partial(_numbers, low=1, high=366, signed=True)),
    "WKST": ("week_start", _week_start),
}


def _check(parts: Parts) -> None:
    """Refuse the combinations that RFC 5545 forbids, and those that have no meaning here."""
    freq = parts.freq
    numbered = any(number for number, _ in parts.by_day)
    chosen = any(getattr(parts, name) for name in _BY if name != "by_set_pos")
    for wrong, reason in (
        (parts.count and parts.until, "COUNT and UNTIL exclude each other"),
        (
            numbered and (freq not in (Freq.MONTHLY, Freq.YEARLY) or parts.by_week_no),
            "BYDAY with a number goes with FREQ=MONTHLY, or FREQ=YEARLY without BYWEEKNO",
        ),
        (parts.by_month_day and freq is Freq.WEEKLY, "BYMONTHDAY does not go with FREQ=WEEKLY"),
        (
            parts.by_year_day and freq in (Freq.DAILY, Freq.WEEKLY, Freq.MONTHLY),
            f"BYYEARDAY does not go with FREQ={freq.name}",
        ),
        (parts.by_week_no and freq is not Freq.YEARLY, "BYWEEKNO goes with FREQ=YEARLY only"),
        (parts.by_set_pos and not chosen, "BYSETPOS needs another BY part to choose from"),
        (
            parts.by_set_pos and freq.stepped,
            f"BYSETPOS goes with FREQ=DAILY and slower, not with {freq.name}",
        ),
    ):
        if wrong:
            raise InvalidInput(RULE, reason)


_BY = tuple(attribute for attribute, _ in _READERS.values() if attribute.startswith("by_"))
