"""Debian's cron, simulated minute by minute; shares no code, parser or library with the package."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

EPOCH = date(1970, 1, 1)
LONGEST_GAP_MINUTES = 180

_WEEKDAYS = {name: n for n, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}
_MONTHS = {
    name: n
    for n, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), 1
    )
}


class Rule:
    """Five fields, read in the plainest way."""

    def __init__(self, expression: str) -> None:
        minute, hour, day, month, weekday = expression.upper().split()
        self.minutes = _values(minute, 0, 59, {})
        self.hours = _values(hour, 0, 23, {})
        self.days = _values(day, 1, 31, {})
        self.months = _values(month, 1, 12, _MONTHS)
        self.weekdays = {value % 7 for value in _values(weekday, 0, 7, _WEEKDAYS)}
        self.both_days = day[0] == "*" or weekday[0] == "*"
        self.wildcard = minute[0] == "*" or hour[0] == "*"
        self.matches_date: Callable[[int], bool] = cache(self._matches_date)

    def matches(self, wall_minute: int) -> bool:
        days, minute_of_day = divmod(wall_minute, 1440)
        hour, minute = divmod(minute_of_day, 60)
        return minute in self.minutes and hour in self.hours and self.matches_date(days)

    def _matches_date(self, days: int) -> bool:
        day = EPOCH + timedelta(days=days)
        in_days = day.day in self.days
        in_weekdays = day.isoweekday() % 7 in self.weekdays
        by_day = in_days and in_weekdays if self.both_days else in_days or in_weekdays
        return by_day and day.month in self.months


def _values(text: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for term in text.split(","):
        span, _, step = term.partition("/")
        if span == "*":
            first, last = low, high
        else:
            bounds = [names[part] if part in names else int(part) for part in span.split("-")]
            first, last = bounds[0], bounds[-1]
        found.update(range(first, last + 1, int(step or 1)))
    return found


@lru_cache(maxsize=256)
def wall_minutes(zone: str, first: int, count: int) -> list[int]:
    """What the clock shows, in minutes since 1970, at `count` UTC minutes from `first` on."""
    info = ZoneInfo(zone)
    shown = []
    for utc_minute in range(first, first + count):
        offset = datetime.fromtimestamp(utc_minute * 60, info).utcoffset()
        assert offset is not None
        shown.append(utc_minute + offset // timedelta(minutes=1))
    return shown


def firings(
    expression: str,
    zone: str,
    first: int,
    count: int,
    *,
    gap: str | None = None,
    overlap: str | None = None,
) -> list[int]:
    """The UTC minutes among `count` from `first` on at which Debian's cron would start the job.

    `gap` and `overlap` replace what it does when a clock changes. The first of the minutes must
    not lie in the second pass of an hour that comes twice, nor a day after a gap.
    """
    rule = Rule(expression)
    gap = gap or ("skip" if rule.wildcard else "after")
    overlap = overlap or ("both" if rule.wildcard else "first")
    shown = wall_minutes(zone, first, count)
    last_seen = {wall: n for n, wall in enumerate(shown)} if overlap == "last" else {}
    fired = set()
    highest = shown[0] - 1
    for n, wall in enumerate(shown):
        if wall > highest:
            missing = range(highest + 1, wall)
            for skipped in missing if len(missing) <= LONGEST_GAP_MINUTES else ():
                if rule.matches(skipped) and gap == "after":
                    fired.add(first + n)
                if rule.matches(skipped) and gap == "shift":
                    fired.add(first + n + skipped - highest - 1)
            highest = wall
            repeated = False
        else:
            repeated = True
        counts = {"first": not repeated, "both": True, "last": last_seen.get(wall) == n}[overlap]
        if counts and rule.matches(wall):
            fired.add(first + n)
    return sorted(minute for minute in fired if minute < first + count)


@cache
def clock_changes(zone: str, year: int) -> list[int]:
    """The UTC minutes of a year at which the zone's offset differs from the minute before."""
    info = ZoneInfo(zone)

    def offset(minute: int) -> timedelta | None:
        return datetime.fromtimestamp(minute * 60, info).utcoffset()

    start = (date(year, 1, 1) - EPOCH).days * 1440
    found = []
    for hour in range(start, start + 366 * 1440, 60):
        if offset(hour) != offset(hour + 60):
            found += [m for m in range(hour + 1, hour + 61) if offset(m) != offset(m - 1)]
    return found
