"""Rules by days and slower: readings of a wall clock, found year by year.

Invariant: no step costs more than looking at each year of the calendar once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import isleap, monthrange
from datetime import MAXYEAR, date, datetime, time
from typing import NamedTuple

from tickwright.model.errors import InvalidInput
from tickwright.triggers.recurrence.parts import RULE, Freq, Parts
from tickwright.triggers.recurrence.steps import Steps
from tickwright.triggers.recurrence.year_days import YearDays, first_day, repeating
from tickwright.triggers.wallclock.times import DayTimes, highest, lowest, mask_of, nth_bit

MOST_COUNTED = 1000
"""The highest COUNT with BYSETPOS, where nothing shorter than walking tells the last date."""

_MOST_YEARS_KEPT = 64
_LAST_ORDINAL = date.max.toordinal()


_STEPS_A_PERIOD = 2
"""What looking at a period costs, beside a step of the rules by hours."""


class Dates:
    """The readings of a rule by days, weeks, months or years from its start on."""

    def __init__(self, parts: Parts, start: datetime) -> None:
        self._parts = parts.dated(start)
        self._start = start
        self._begin = _period_begin(self._parts, start.toordinal())
        self._filter = YearDays(self._parts)
        self._years: dict[int, int] = {}
        self._times = DayTimes(
            hours=mask_of(parts.by_hour or (start.hour,)),
            minutes=mask_of(parts.by_minute or (start.minute,)),
            seconds=mask_of(parts.by_second or (start.second,)),
        )
        self._end: datetime | None = None
        if parts.count is not None:
            self._end = self._counted(parts.count)

    def first_from(self, start: datetime, steps: Steps) -> datetime | None:
        """The first reading of the rule from `start` on."""
        start = max(start, self._start)
        if self._end is not None and start > self._end:
            return None
        found = self._chosen_from(start, steps) if self._parts.by_set_pos else self._from(start)
        return None if found is None or (self._end and found > self._end) else found

    def last_upto(self, start: datetime, steps: Steps) -> datetime | None:
        """The last reading of the rule up to `start`."""
        if self._end is not None:
            start = min(start, self._end)
        if start < self._start:
            return None
        found = self._chosen_upto(start, steps) if self._parts.by_set_pos else self._upto(start)
        return None if found is None or found < self._start else found

    def _from(self, start: datetime) -> datetime | None:
        day = start.toordinal()
        if self._has(day):
            found = self._times.since(start.hour, start.minute, start.second)
            if found is not None:
                return _reading(day, found)
        later = self._day_from(day + 1)
        return None if later is None else _reading(later, self._times.first)

    def _upto(self, start: datetime) -> datetime | None:
        day = start.toordinal()
        if self._has(day):
            found = self._times.upto(start.hour, start.minute, start.second)
            if found is not None:
                return _reading(day, found)
        earlier = self._day_upto(day - 1)
        return None if earlier is None else _reading(earlier, self._times.last)

    def _chosen_from(self, start: datetime, steps: Steps) -> datetime | None:
        day = self._day_from(max(_period_begin(self._parts, start.toordinal()), 1))
        while day is not None:
            steps.take(_STEPS_A_PERIOD)
            chosen, _, end = self._period(day)
            index = bisect_left(chosen, start)
            if index < len(chosen):
                return chosen[index]
            day = self._day_from(end)
        return None

    def _chosen_upto(self, start: datetime, steps: Steps) -> datetime | None:
        day = self._day_upto(_period_end(self._parts, start.toordinal()) - 1)
        while day is not None:
            steps.take(_STEPS_A_PERIOD)
            chosen, begin, _ = self._period(day)
            index = bisect_right(chosen, start)
            if index:
                return chosen[index - 1]
            day = self._day_upto(begin - 1)
        return None

    def _period(self, day: int) -> tuple[list[datetime], int, int]:
        """What BYSETPOS chooses in the period of a day, and the days that it begins and ends at."""
        begin, end = _period_begin(self._parts, day), _period_end(self._parts, day)
        days, times = self._bits(begin, end), self._times
        total = days.bit_count() * times.count
        places = {n - 1 if n > 0 else total + n for n in self._parts.by_set_pos}
        chosen = [
            _reading(begin + nth_bit(days, place // times.count), times.nth(place % times.count))
            for place in sorted(places)
            if 0 <= place < total
        ]
        return chosen, begin, end

    def _bits(self, begin: int, end: int) -> int:
        """The days of the rule from `begin` to before `end`: bit 0 is `begin`."""
        year = date.fromordinal(max(begin, 1)).year
        first = first_day(year)
        later = first + 365 + isleap(year)
        bits = (
            self._days(year) << first - begin
            if begin < first
            else (self._days(year) >> begin - first)
        )
        if end > later and year < MAXYEAR:
            bits |= self._days(year + 1) << later - begin
        return bits & ((1 << (end - begin)) - 1)

    def _has(self, day: int) -> bool:
        year = date.fromordinal(day).year
        return bool(self._days(year) >> (day - first_day(year)) & 1)

    def _day_from(self, day: int) -> int | None:
        """The first day of the rule from this one on."""
        if day > _LAST_ORDINAL:
            return None
        year = date.fromordinal(day).year
        skipped = day - first_day(year)
        days = self._days(year) >> skipped << skipped
        while not days:
            year += self._stride(year, 1)
            if year > MAXYEAR:
                return None
            days = self._days(year)
        return first_day(year) + lowest(days)

    def _day_upto(self, day: int) -> int | None:
        """The last day of the rule up to this one."""
        if day < max(self._begin, 1):
            return None
        year = date.fromordinal(day).year
        days = self._days(year) & ((2 << (day - first_day(year))) - 1)
        while not days:
            year -= self._stride(year, -1)
            if year < self._start.year - 1 or year < 1:
                return None
            days = self._days(year)
        return first_day(year) + highest(days)

    def _stride(self, year: int, direction: int) -> int:
        """How many years it is to the next that may have days."""
        if self._parts.freq is not Freq.YEARLY:
            return 1
        return (direction * (self._start.year - year)) % self._parts.interval or (
            self._parts.interval
        )

    def _days(self, year: int) -> int:
        """The days of a year that belong to the rule, INTERVAL and all; also before its start."""
        if (found := self._years.get(year)) is None:
            if len(self._years) >= _MOST_YEARS_KEPT:
                self._years.clear()
            found = self._years[year] = self._filter.of(year) & self._in_step(year)
        return found

    def _in_step(self, year: int) -> int:
        """The days of a year in the periods that INTERVAL leaves."""
        freq, interval = self._parts.freq, self._parts.interval
        whole = (1 << (365 + isleap(year))) - 1
        if freq is Freq.YEARLY:
            return whole if (year - self._start.year) % interval == 0 else 0
        if interval == 1:
            return whole
        if freq is Freq.MONTHLY:
            ahead = (self._start.year * 12 + self._start.month - 1 - year * 12) % interval
            begin, mask = first_day(year), 0
            for month in range(ahead + 1, 13, interval):
                length = monthrange(year, month)[1]
                mask |= ((1 << length) - 1) << (date(year, month, 1).toordinal() - begin)
            return mask
        width = 7 if freq is Freq.WEEKLY else 1
        step = interval * width
        first = (self._begin - first_day(year)) % step
        return repeating(first - step if first > step - width else first, step, width) & whole

    def _counted(self, count: int) -> datetime | None:
        """The reading at which COUNT is reached; None if the calendar ends before."""
        if self._parts.by_set_pos:
            return self._walked(count)
        year, times = self._start.year, self._times.count
        skipped = self._start.toordinal() - first_day(year)
        days = self._days(year) >> skipped << skipped
        begun = 0
        if days >> skipped & 1:
            at = self._start
            begun = self._times.count_before(at.hour, at.minute, at.second)
        left = count + begun
        while left > days.bit_count() * times:
            left -= days.bit_count() * times
            year += self._stride(year, 1)
            if year > MAXYEAR:
                return None
            days = self._days(year)
        day, place = divmod(left - 1, times)
        return _reading(first_day(year) + nth_bit(days, day), self._times.nth(place))

    def _walked(self, count: int) -> datetime | None:
        if count > MOST_COUNTED:
            raise InvalidInput(
                RULE, f"COUNT with BYSETPOS must be at most {MOST_COUNTED}; use UNTIL"
            )
        steps, left = Steps(), count
        found = self._chosen_from(self._start, steps)
        while found is not None:
            chosen, _, end = self._period(found.toordinal())
            remaining = chosen[bisect_left(chosen, found) :]
            if left <= len(remaining):
                return remaining[left - 1]
            left -= len(remaining)
            if end > _LAST_ORDINAL:
                return None
            found = self._chosen_from(datetime.fromordinal(end), steps)
        return None


class Walk(NamedTuple):
    """The dates of a rule as readings that a wall clock shows, for one search."""

    dates: Dates
    steps: Steps

    def at_or_after(self, start: datetime) -> datetime | None:
        return self.dates.first_from(start, self.steps)

    def at_or_before(self, start: datetime) -> datetime | None:
        return self.dates.last_upto(start, self.steps)


def _reading(day: int, at: tuple[int, int, int]) -> datetime:
    return datetime.combine(date.fromordinal(day), time(*at))


def _period_begin(parts: Parts, day: int) -> int:
    """The first day of a day's period; that of a first week may lie before the calendar."""
    if parts.freq is Freq.WEEKLY:
        return day - (day - 1 - parts.week_start) % 7
    if parts.freq is Freq.DAILY:
        return day
    at = date.fromordinal(day)
    return at.replace(month=at.month if parts.freq is Freq.MONTHLY else 1, day=1).toordinal()


def _period_end(parts: Parts, day: int) -> int:
    """The day after the last of a day's period, or after the last of the calendar."""
    begin = _period_begin(parts, day)
    if parts.freq is Freq.WEEKLY:
        return min(begin + 7, _LAST_ORDINAL + 1)
    if parts.freq is Freq.DAILY:
        return begin + 1
    at = date.fromordinal(day)
    if parts.freq is Freq.MONTHLY:
        return begin + monthrange(at.year, at.month)[1]
    return begin + 365 + isleap(at.year)
