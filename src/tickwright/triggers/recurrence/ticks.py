"""Rules by hours and faster: stepped in UTC from their start, with BY parts as local filters.

Invariant: no step over a clock change is taken unseen, and a search ends after so many steps.
"""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tickwright.model.errors import InvalidInput
from tickwright.triggers.recurrence.parts import RULE, Freq, Parts
from tickwright.triggers.recurrence.steps import Steps
from tickwright.triggers.recurrence.year_days import YearDays, first_day
from tickwright.triggers.wallclock.clock import (
    EARLIEST,
    FIRST_READING,
    LAST_READING,
    LATEST,
    naive,
)
from tickwright.triggers.wallclock.times import DayTimes, highest, lowest, mask_of
from tickwright.triggers.wallclock.zones import Span, span_of

MOST_COUNTED = 1000
"""The highest COUNT of a rule with BY parts, where only walking tells the last instant."""

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_UNITS = {Freq.HOURLY: 3600, Freq.MINUTELY: 60, Freq.SECONDLY: 1}


class Ticks:
    """The instants of a rule by hours, minutes or seconds from its start on.

    Each INTERVAL-th hour (minute, second) counts, in elapsed time. BYMINUTE and BYSECOND choose
    within it where they are finer than FREQ; all other BY parts are asked of the local reading.
    Inside this class moments are naive, in UTC and whole seconds.
    """

    def __init__(self, parts: Parts, start: datetime, instant: datetime, zone: ZoneInfo) -> None:
        unit = _UNITS[parts.freq]
        chooses = bool(parts.by_second) if unit == 60 else bool(parts.by_minute or parts.by_second)
        within = unit > 1 and chooses
        self._zone = zone
        self._begin = naive(instant)
        self._origin = self._begin
        if within:
            self._origin -= timedelta(seconds=start.second + 60 * start.minute * (unit == 3600))
        self._step = unit * parts.interval
        self._width = unit if within else 1
        self._filter = YearDays(parts)
        every = range(60)
        named = within and unit == 3600
        self._times = DayTimes(
            hours=mask_of(parts.by_hour or range(24)),
            minutes=mask_of(parts.by_minute or ((start.minute,) if named else every)),
            seconds=mask_of(parts.by_second or ((start.second,) if within else every)),
        )
        self._end = LATEST
        if parts.count is not None:
            filtered = within or not self._filter.all or self._times.count < 86_400
            self._end = self._counted(parts.count, filtered=filtered)

    def next_after(self, moment: datetime, steps: Steps) -> datetime | None:
        at = naive(moment)
        if at >= self._end:
            return None
        at = max(at.replace(microsecond=0) + _SECOND, self._begin, EARLIEST)
        found = self._from(at, steps)
        return None if found is None or found > self._end else found.replace(tzinfo=UTC)

    def previous_before(self, moment: datetime, steps: Steps) -> datetime | None:
        at = naive(moment)
        if at <= max(self._begin, EARLIEST):
            return None
        at = at.replace(microsecond=0) if at.microsecond else at - _SECOND
        found = self._upto(min(at, self._end), steps)
        return None if found is None else found.replace(tzinfo=UTC)

    def _counted(self, count: int, *, filtered: bool) -> datetime:
        """The instant at which COUNT is reached; the last of all if the calendar ends before."""
        if not filtered:
            room = (LATEST - self._begin) // _SECOND // self._step
            return self._begin + min(count - 1, room) * timedelta(seconds=self._step)
        if count > MOST_COUNTED:
            raise InvalidInput(
                RULE, f"COUNT with BY parts must be at most {MOST_COUNTED}; use UNTIL"
            )
        steps, at = Steps(), self._begin
        for _ in range(count):
            found = self._from(at, steps)
            if found is None:
                return LATEST
            last, at = found, found + _SECOND
        return last

    def _from(self, at: datetime, steps: Steps) -> datetime | None:
        while at <= LATEST:
            steps.take()
            over = ((at - self._origin) // _SECOND) % self._step
            if over >= self._width:
                ahead = self._step - over
                if ahead > (LATEST - at) // _SECOND:
                    return None
                at += timedelta(seconds=ahead)
            span = span_of(self._zone, at.toordinal())
            offset = span.offset_at(at)
            reading = at + offset
            target = self._reading_from(reading)
            if target == reading:
                return at
            if target is None or target > LAST_READING:
                return None
            at = self._later(at, target, offset, span)
        return None

    def _upto(self, at: datetime, steps: Steps) -> datetime | None:
        while at >= self._begin:
            steps.take()
            over = ((at - self._origin) // _SECOND) % self._step
            if over >= self._width:
                at -= timedelta(seconds=over - self._width + 1)
            span = span_of(self._zone, at.toordinal())
            offset = span.offset_at(at)
            reading = at + offset
            target = self._reading_upto(reading)
            if target == reading:
                return at
            if target is None or target < FIRST_READING:
                return None
            at = self._earlier(at, target, offset, span)
        return None

    def _reading_from(self, reading: datetime) -> datetime | None:
        """The first reading from this one on that the filters let through."""
        year = reading.year
        day = reading.toordinal() - first_day(year)
        days = self._filter.of(year) >> day << day
        if days >> day & 1:
            found = self._times.since(reading.hour, reading.minute, reading.second)
            if found is not None:
                return datetime.combine(reading, time(*found))
            days ^= 1 << day
        while not days:
            year += 1
            if year > MAXYEAR:
                return None
            days = self._filter.of(year)
        return _at(first_day(year) + lowest(days), self._times.first)

    def _reading_upto(self, reading: datetime) -> datetime | None:
        year = reading.year
        day = reading.toordinal() - first_day(year)
        days = self._filter.of(year) & ((2 << day) - 1)
        if days >> day:
            found = self._times.upto(reading.hour, reading.minute, reading.second)
            if found is not None:
                return datetime.combine(reading, time(*found))
            days ^= 1 << day
        while not days:
            year -= 1
            if year < max(self._begin.year - 1, MINYEAR):
                return None
            days = self._filter.of(year)
        return _at(first_day(year) + highest(days), self._times.last)

    def _later(self, at: datetime, reading: datetime, offset: timedelta, span: Span) -> datetime:
        """A moment after `at` with nothing in between, and not after `reading` is first shown."""
        target = reading - offset
        changes = [c.instant for c in span.changes if at < c.instant < target]
        if changes:
            return changes[0]
        if target - at <= _DAY:
            return target
        return max(at + _SECOND, min(reading - each for each in self._offsets(reading)))

    def _earlier(self, at: datetime, reading: datetime, offset: timedelta, span: Span) -> datetime:
        """A moment before `at` with nothing in between, and not before `reading` is last shown."""
        target = reading - offset
        changes = [c.instant - _SECOND for c in span.changes if target < c.instant <= at]
        if changes:
            return changes[-1]
        if at - target <= _DAY:
            return target
        return min(at - _SECOND, max(reading - each for each in self._offsets(reading)))

    def _offsets(self, reading: datetime) -> list[timedelta]:
        span = span_of(self._zone, reading.toordinal())
        return [span.offset, *(change.after for change in span.changes)]


def _at(day: int, at: tuple[int, int, int]) -> datetime:
    return datetime.combine(date.fromordinal(day), time(*at))
