"""Yearly rules of iCalendar events: which of their days lie in a year, from that year alone."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

MAX_INTERVAL = 1000
_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "WKST"}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BYDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")


@dataclass(frozen=True, slots=True)
class YearlyRule:
    """`FREQ=YEARLY` with its days by month, day of the month and weekday (RFC 5545, 3.3.10)."""

    interval: int = 1
    count: int | None = None
    until: date | None = None
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()

    @classmethod
    def read(cls, parts: Mapping[str, Any], until: date | None) -> Self:
        """The rule that these parts make, each a list; ValueError for one of another kind."""
        unknown = sorted(set(parts) - _PARTS)
        if unknown or [str(each).upper() for each in parts.get("FREQ", [])] != ["YEARLY"]:
            raise ValueError(
                "repeats by a rule that is not read here: only FREQ=YEARLY with "
                "INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY and BYDAY is"
            )
        interval, count = int(parts.get("INTERVAL", [1])[0]), parts.get("COUNT", [None])[0]
        if not 1 <= interval <= MAX_INTERVAL or (count is not None and int(count) < 1):
            raise ValueError("repeats with an INTERVAL or COUNT that is out of range")
        return cls(
            interval=interval,
            count=None if count is None else int(count),
            until=until,
            months=_numbers("BYMONTH", parts, 1, 12),
            month_days=_numbers("BYMONTHDAY", parts, -31, 31),
            weekdays=tuple(dict.fromkeys(_weekday(str(each)) for each in parts.get("BYDAY", []))),
        )

    @property
    def effort(self) -> int:
        """How many days are looked at in a year."""
        months = len(self.months) or 12
        return months * (len(self.month_days) or 1) * (len(self.weekdays) or 1)

    def days_in(self, year: int, first: date) -> list[date]:
        """Its days in `year`, in order; what it does not say it takes from `first`."""
        if self.month_days or not self.weekdays:
            months = self.months or (range(1, 13) if self.month_days else (first.month,))
            days = self.month_days or (first.day,)
            found = {day for month in months for day in _in_month(year, month, days)}
            return sorted(filter(self._has_weekday, found))
        spans = [_month(year, month) for month in self.months]
        spans = spans or [(date(year, 1, 1), date(year, 12, 31))]
        return sorted({day for span in spans for day in self._on_weekdays(*span)})

    def _has_weekday(self, day: date) -> bool:
        return not self.weekdays or any(number == day.weekday() for _, number in self.weekdays)

    def _on_weekdays(self, first: date, last: date) -> Iterator[date]:
        for place, weekday in self.weekdays:
            begin = first.toordinal() + (weekday - first.weekday()) % 7
            found = range(begin, last.toordinal() + 1, 7)
            if not place:
                yield from map(date.fromordinal, found)
            elif abs(place) <= len(found):
                yield date.fromordinal(found[place - 1 if place > 0 else place])


def _numbers(name: str, parts: Mapping[str, Any], low: int, high: int) -> tuple[int, ...]:
    numbers = tuple(dict.fromkeys(int(each) for each in parts.get(name, [])))
    if any(not low <= each <= high or each == 0 for each in numbers):
        raise ValueError(f"repeats with a {name} that is out of range")
    return numbers


def _weekday(text: str) -> tuple[int, int]:
    found = _BYDAY.fullmatch(text.upper())
    if found is None:
        raise ValueError(f"repeats with a BYDAY that is none: {text[:10]!a}")
    return int(found[1] or 0), _WEEKDAYS.index(found[2])


def _month(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def _in_month(year: int, month: int, days: Iterable[int]) -> Iterator[date]:
    length = calendar.monthrange(year, month)[1]
    for day in days:
        if abs(day) <= length:
            yield date(year, month, day if day > 0 else length + 1 + day)
