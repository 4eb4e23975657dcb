"""A cron rule on a clock without zone, stepped by bit masks; each rule happens within 50 years."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from functools import lru_cache

from tickwright.triggers.wallclock.times import DayTimes, highest, lowest

# Weekdays of 29 February repeat within 40 years, also over a century: nothing in 50 means never.
_HORIZON_MONTHS = 50 * 12


@dataclass(frozen=True, slots=True)
class CronRule:
    """Which readings of a clock match: bit n of a mask stands for the value n.

    `days` holds one mask of month days for each shape a month can have (see `month_shape`).
    """

    times: DayTimes
    months: int
    days: tuple[int, ...]
    fixed_time: bool
    """Runs at chosen times rather than all along: what clock changes do to it hangs on this."""

    def at_or_after(self, start: datetime) -> datetime | None:
        """The first match not before the naive whole second `start`; None if there is none."""
        year, month, day = start.year, start.month, start.day
        days = self._days(start) >> day
        if days & 1:
            time = self.times.since(start.hour, start.minute, start.second)
            if time is not None:
                return start.replace(year, month, day, *time)
        days = days >> 1 << (day + 1)
        for _ in range(_HORIZON_MONTHS):
            if days:
                return start.replace(year, month, lowest(days), *self.times.first)
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
            if year > MAXYEAR:
                return None
            if self.months >> month & 1:
                days = self.days[month_shape(year, month)]
        return None

    def at_or_before(self, start: datetime) -> datetime | None:
        """The last match not after the naive whole second `start`; None if there is none."""
        year, month, day = start.year, start.month, start.day
        days = self._days(start) & ((2 << day) - 1)
        if days >> day:
            time = self.times.upto(start.hour, start.minute, start.second)
            if time is not None:
                return start.replace(year, month, day, *time)
            days ^= 1 << day
        while not days:
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)
            if year < MINYEAR:
                return None
            if self.months >> month & 1:
                days = self.days[month_shape(year, month)]
        return start.replace(year, month, highest(days), *self.times.last)

    def _days(self, start: datetime) -> int:
        if self.months >> start.month & 1:
            return self.days[month_shape(start.year, start.month)]
        return 0


@lru_cache(maxsize=2048)
def month_shape(year: int, month: int) -> int:
    """Number from 0 to 27 of a month's shape: the weekday it begins with, and its length."""
    first_weekday, length = monthrange(year, month)
    return first_weekday * 4 + length - 28
