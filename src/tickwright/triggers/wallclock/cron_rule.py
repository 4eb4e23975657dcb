"""A cron rule on a clock without zone; steps forward by bit masks, in at most 600 months."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from functools import lru_cache

# Weekdays of 29 February repeat within 40 years, also over a century: nothing in 50 means never.
_HORIZON_MONTHS = 50 * 12


@dataclass(frozen=True, slots=True)
class CronRule:
    """Which readings of a clock match: bit n of a mask stands for the value n.

    `days` holds one mask of month days for each shape a month can have (see `month_shape`).
    """

    seconds: int
    minutes: int
    hours: int
    months: int
    days: tuple[int, ...]
    fixed_time: bool
    """Runs at chosen times rather than all along: what clock changes do to it hangs on this."""

    def at_or_after(self, start: datetime) -> datetime | None:
        """The first match not before the naive whole second `start`; None if there is none."""
        year, month, day = start.year, start.month, start.day
        days = self._days(year, month) >> day
        if days & 1:
            time = self._time_from(start.hour, start.minute, start.second)
            if time is not None:
                return start.replace(year, month, day, *time)
        days = days >> 1 << (day + 1)
        for _ in range(_HORIZON_MONTHS):
            if days:
                hour, minute, second = map(_lowest, (self.hours, self.minutes, self.seconds))
                return start.replace(year, month, _lowest(days), hour, minute, second)
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
            if year > MAXYEAR:
                return None
            days = self._days(year, month)
        return None

    def _days(self, year: int, month: int) -> int:
        return self.days[month_shape(year, month)] if self.months >> month & 1 else 0

    def _time_from(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        if self.hours >> hour & 1:
            if self.minutes >> minute & 1 and (seconds := self.seconds >> second):
                return hour, minute, second + _lowest(seconds)
            if minutes := self.minutes >> (minute + 1):
                return hour, minute + 1 + _lowest(minutes), _lowest(self.seconds)
        if hours := self.hours >> (hour + 1):
            return hour + 1 + _lowest(hours), _lowest(self.minutes), _lowest(self.seconds)
        return None


@lru_cache(maxsize=2048)
def month_shape(year: int, month: int) -> int:
    """Number from 0 to 27 of a month's shape: the weekday it begins with, and its length."""
    first_weekday, length = monthrange(year, month)
    return first_weekday * 4 + length - 28


def mask_of(values: Iterable[int]) -> int:
    """The mask with these bits set."""
    mask = 0
    for value in values:
        mask |= 1 << value
    return mask


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1
