"""From the readings of a wall clock to instants; a reading may be missing, or come twice.

Invariant: forwards and backwards see the same instants, each once and in order. Inside this module
moments are naive, in UTC and whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from tickwright.triggers.wallclock.zones import ClockChange, span_of

LONGEST_GAP = timedelta(hours=3)
"""A longer one is no clock change but a day that did not exist: nothing happens in its place."""

# In between every moment can be read on the clock of every zone.
EARLIEST = datetime(1, 1, 3)  # noqa: DTZ001 - in UTC like all moments here
LATEST = datetime(9999, 12, 29)  # noqa: DTZ001

FIRST_READING = EARLIEST - timedelta(days=1)
LAST_READING = LATEST + timedelta(days=1)

_SECOND = timedelta(seconds=1)

# One that always falls into a gap does so once or twice a year; weekdays repeat after 28 years.
_MOST_CHANGES = 60


class DstGap(StrEnum):
    """What becomes of a time that a clock change leaves out."""

    AFTER = "after"
    SHIFT = "shift"
    SKIP = "skip"


class DstOverlap(StrEnum):
    """Which of the two passes counts when times come twice."""

    FIRST = "first"
    LAST = "last"
    BOTH = "both"


class Readings(Protocol):
    """Which readings of a clock without zone match, in whole seconds."""

    def at_or_after(self, start: datetime) -> datetime | None:
        """The first match from `start` on; None if there is none."""
        ...

    def at_or_before(self, start: datetime) -> datetime | None:
        """The last match up to `start`; None if there is none."""
        ...


class _Stretch(NamedTuple):
    """Readings from `begin` to before `end`, shown at one offset or all put off to `instant`."""

    begin: datetime
    end: datetime
    offset: timedelta
    instant: datetime | None = None


class _Passage(NamedTuple):
    """A change and its surroundings, so wide that nothing outside is mixed with what is inside."""

    begin: datetime
    end: datetime
    low: datetime
    high: datetime
    stretches: tuple[_Stretch, ...]


@dataclass(frozen=True, slots=True)
class WallClock:
    """The clock of a zone, and what clock changes do to what follows it."""

    zone: ZoneInfo
    gap: DstGap
    overlap: DstOverlap

    def next_after(self, readings: Readings, moment: datetime) -> datetime | None:
        """The first instant strictly after the aware `moment` at which a match is shown."""
        at = naive(moment)
        if at >= LATEST:
            return None
        found = self._first_from(readings, max(at.replace(microsecond=0) + _SECOND, EARLIEST))
        return None if found is None or found > LATEST else found.replace(tzinfo=UTC)

    def previous_before(self, readings: Readings, moment: datetime) -> datetime | None:
        """The last instant strictly before the aware `moment` at which a match is shown."""
        at = naive(moment)
        if at <= EARLIEST:
            return None
        at = at.replace(microsecond=0) if at.microsecond else at - _SECOND
        found = self._last_upto(readings, min(at, LATEST))
        return None if found is None or found < EARLIEST else found.replace(tzinfo=UTC)

    def instants_of(self, reading: datetime) -> tuple[datetime, ...]:
        """When the clock shows this naive reading: at none, one or two moments, in order."""
        if not FIRST_READING < reading < LAST_READING:
            return ()
        offset, passage = self._at_reading(reading)
        if passage is None:
            return (_aware(reading - offset),)
        shown = {
            stretch.instant or reading - stretch.offset
            for stretch in passage.stretches
            if stretch.begin <= reading < stretch.end
        }
        return tuple(_aware(moment) for moment in sorted(shown))

    def _first_from(self, readings: Readings, at: datetime) -> datetime | None:
        offset, passage = self._at_moment(at)
        start = at + offset
        for _ in range(_MOST_CHANGES):
            if passage is not None:
                found = _first_within(passage, readings, at)
                if found is not None:
                    return found
                start = passage.high
            match = readings.at_or_after(start)
            if match is None or match > LAST_READING:
                return None
            offset, passage = self._at_reading(match)
            if passage is None:
                return match - offset
        return None

    def _last_upto(self, readings: Readings, at: datetime) -> datetime | None:
        offset, passage = self._at_moment(at)
        start = at + offset
        for _ in range(_MOST_CHANGES):
            if passage is not None:
                found = _last_within(passage, readings, at)
                if found is not None:
                    return found
                start = passage.low - _SECOND
            match = readings.at_or_before(start)
            if match is None or match < FIRST_READING:
                return None
            offset, passage = self._at_reading(match)
            if passage is None:
                return match - offset
        return None

    def _at_moment(self, at: datetime) -> tuple[timedelta, _Passage | None]:
        """The offset at a moment, or the passage that it lies in."""
        offset, changes = span = span_of(self.zone, at.toordinal())
        if not changes:
            return offset, None
        for change in changes:
            passage = _passage(change, self.gap, self.overlap)
            if passage.begin <= at < passage.end:
                return offset, passage
        return span.offset_at(at), None

    def _at_reading(self, reading: datetime) -> tuple[timedelta, _Passage | None]:
        """The offset at which a reading is shown, or the passage that it lies in."""
        offset, changes = span_of(self.zone, reading.toordinal())
        for change in changes:
            passage = _passage(change, self.gap, self.overlap)
            if passage.low <= reading < passage.high:
                return offset, passage
            if reading >= passage.high:
                offset = change.after
        return offset, None


def naive(moment: datetime) -> datetime:
    """An aware moment as this module keeps it, but for what is less than a second."""
    if moment.tzinfo is None:
        raise TypeError("moment must be an aware datetime")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _first_within(passage: _Passage, readings: Readings, at: datetime) -> datetime | None:
    best: datetime | None = None
    for begin, end, offset, instant in passage.stretches:
        if instant is not None and instant < at:
            continue
        match = readings.at_or_after(begin if instant is not None else max(begin, at + offset))
        if match is None or match >= end:
            continue
        found = instant or match - offset
        best = found if best is None else min(best, found)
    return best


def _last_within(passage: _Passage, readings: Readings, at: datetime) -> datetime | None:
    best: datetime | None = None
    for begin, end, offset, instant in passage.stretches:
        if instant is not None and instant > at:
            continue
        last = end - _SECOND
        match = readings.at_or_before(last if instant is not None else min(last, at + offset))
        if match is None or match < begin:
            continue
        found = instant or match - offset
        best = found if best is None else max(best, found)
    return best


@lru_cache(maxsize=4096)
def _passage(change: ClockChange, gap: DstGap, overlap: DstOverlap) -> _Passage:
    before, after, width = change.reading_before, change.reading_after, abs(change.jump)
    if change.after > change.before:
        stretches = [_Stretch(before - width, before, change.before)]
        if gap is not DstGap.SKIP and width <= LONGEST_GAP:
            instant = change.instant if gap is DstGap.AFTER else None
            stretches.append(_Stretch(before, after, change.before, instant))
        stretches.append(_Stretch(after, after + width, change.after))
    else:
        stretches = []
        if overlap is not DstOverlap.LAST:
            stretches.append(_Stretch(after, before, change.before))
        if overlap is not DstOverlap.FIRST:
            stretches.append(_Stretch(after, before, change.after))
    return _Passage(
        begin=change.instant - width,
        end=change.instant + width,
        low=min(before, after) - (width if after > before else timedelta()),
        high=max(before, after) + (width if after > before else timedelta()),
        stretches=tuple(stretches),
    )
