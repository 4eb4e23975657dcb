"""The days of a year that a rule lets through, as one mask: bit 0 is 1 January."""

from __future__ import annotations

from calendar import isleap
from datetime import date
from functools import lru_cache

from tickwright.triggers.recurrence.parts import Freq, Parts
from tickwright.triggers.wallclock.times import mask_of

_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_Shape = tuple[int, int, int]


def first_day(year: int) -> int:
    """The ordinal of 1 January."""
    return date(year, 1, 1).toordinal()


class YearDays:
    """Which days the BY parts of a rule let through; all, if it has none of them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._masks: dict[_Shape, int] = {}
        self.all = not (
            parts.by_month
            or parts.by_month_day
            or parts.by_year_day
            or parts.by_week_no
            or parts.by_day
        )

    def of(self, year: int) -> int:
        """The mask of a year: there are at most 28, for all years of one shape are alike."""
        shape = ((first_day(year) - 1) % 7, 365 + isleap(year), 365 + isleap(year - 1))
        if (found := self._masks.get(shape)) is None:
            found = self._masks[shape] = _mask(self._parts, shape)
        return found


def _mask(parts: Parts, shape: _Shape) -> int:
    weekday, length, _ = shape
    months = _months(length)
    mask = (1 << length) - 1
    if parts.by_month:
        mask &= mask_of(day for month in parts.by_month for day in months[month - 1])
    if parts.by_month_day:
        mask &= _numbered(months, parts.by_month_day)
    if parts.by_year_day:
        mask &= _numbered([range(length)], parts.by_year_day)
    if parts.by_week_no:
        mask &= _weeks(parts, shape)
    if parts.by_day:
        in_months = parts.freq is Freq.MONTHLY or bool(parts.by_month)
        within = months if in_months else [range(length)]
        days = [range((day - weekday) % 7, length, 7) for day in range(7)]
        mask &= mask_of(
            day
            for number, which in parts.by_day
            for span in within
            for day in _chosen([day for day in days[which] if day in span], number)
        )
    return mask


def _months(length: int) -> list[range]:
    months, begin = [], 0
    for month, days in enumerate(_LENGTHS):
        end = begin + days + (month == 1 and length == 366)
        months.append(range(begin, end))
        begin = end
    return months


def _numbered(spans: list[range], numbers: tuple[int, ...]) -> int:
    """The days with these numbers within each span, from its beginning or from its end."""
    return mask_of(
        span[number - 1 if number > 0 else number]
        for span in spans
        for number in numbers
        if abs(number) <= len(span)
    )


def _chosen(days: list[int], number: int) -> list[int]:
    """The day with this number among these, from either end; all of them for 0."""
    if number == 0:
        return days
    if abs(number) > len(days):
        return []
    return [days[number - 1 if number > 0 else number]]


def _weeks(parts: Parts, shape: _Shape) -> int:
    """The days in weeks with these numbers: week 1 is the first with four days in its year."""
    weekday, length, length_before = shape
    first = _first_week(weekday, parts.week_start)
    end = length + _first_week((weekday + length) % 7, parts.week_start)
    before = -length_before + _first_week((weekday - length_before) % 7, parts.week_start)
    weeks, weeks_before = (end - first) // 7, (first - before) // 7
    days: set[int] = set()
    for number in parts.by_week_no:
        week = number - 1 if number > 0 else weeks + number
        if 0 <= week < weeks:
            days.update(range(first + 7 * week, first + 7 * week + 7))
        if number in (weeks_before, -1):
            days.update(range(first))
        if number == 1:
            days.update(range(end, length))
    return mask_of(day for day in days if 0 <= day < length)


def _first_week(weekday: int, week_start: int) -> int:
    """The day on which week 1 begins, in a year that begins with this weekday."""
    ahead = (week_start - weekday) % 7
    return ahead if ahead < 4 else ahead - 7


@lru_cache(maxsize=2048)
def repeating(first: int, step: int, width: int) -> int:
    """The days of a year in stretches of `width` that begin at `first` and each `step` after."""
    mask = 0
    for begin in range(first, 366, step):
        stretch = (1 << width) - 1
        mask |= stretch << begin if begin >= 0 else stretch >> -begin
    return mask
