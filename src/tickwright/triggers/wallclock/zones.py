"""Time zones and what their clocks do; only listed zones exist, and no change goes unnoticed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import quoted, text_of

_MAX_NAME = 64
_SECOND = timedelta(seconds=1)

# No clock was ever changed twice within 95 hours: looking every third day sees each change.
_LOOK_DAYS = 3
_SPAN_DAYS = 8
_MARGIN_DAYS = 2
_FIRST_DAY, _LAST_DAY = date.min.toordinal() + 1, date.max.toordinal() - 1

# Names of files, not of places: what they mean depends on the machine.
_NOT_ZONES = {"localtime", "posixrules", "Factory"}


class ClockChange(NamedTuple):
    """A moment (naive, in UTC) at which a clock jumps, and its offsets from UTC on both sides."""

    instant: datetime
    before: timedelta
    after: timedelta

    @property
    def jump(self) -> timedelta:
        """How much wall time is missing; negative if wall time comes twice."""
        return self.after - self.before

    @property
    def reading_before(self) -> datetime:
        """The reading at which the clock jumps: the first that is missing, or ends the repeat."""
        return self.instant + self.before

    @property
    def reading_after(self) -> datetime:
        """The reading it jumps to: the first after the gap, or the first that comes again."""
        return self.instant + self.after


class Span(NamedTuple):
    """Some days of a clock: its offset at their beginning, and its changes within them."""

    offset: timedelta
    changes: tuple[ClockChange, ...]

    def offset_at(self, moment: datetime) -> timedelta:
        """The offset at a naive moment in UTC that lies in these days."""
        offset = self.offset
        for change in self.changes:
            if moment >= change.instant:
                offset = change.after
        return offset


def zone_of(name: object, field: str) -> ZoneInfo:
    """The zone of that IANA name; `InvalidInput` for `field` if there is none."""
    text = text_of(name, field)
    zone = _zone(text) if len(text) <= _MAX_NAME else None
    if zone is None:
        raise InvalidInput(
            field, f"{quoted(text)} is not a known time zone; use a name such as Europe/Berlin"
        )
    return zone


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    return ZoneInfo(name) if name in _names() else None


@cache
def _names() -> frozenset[str]:
    return frozenset(
        name
        for name in available_timezones()
        if name not in _NOT_ZONES and not name.startswith(("posix/", "right/"))
    )


def span_of(zone: ZoneInfo, day: int) -> Span:
    """The days around the date with this ordinal; at least two before it and two after it.

    Both a moment in UTC and a reading of the clock lie well within the span of their date.
    """
    return _span(zone, day // _SPAN_DAYS)


@lru_cache(maxsize=16_384)
def _span(zone: ZoneInfo, number: int) -> Span:
    first = number * _SPAN_DAYS - _MARGIN_DAYS
    looks = range(first, first + _SPAN_DAYS + 2 * _MARGIN_DAYS + 1, _LOOK_DAYS)
    moments = [datetime.fromordinal(min(max(day, _FIRST_DAY), _LAST_DAY)) for day in looks]
    offsets = [offset_at(zone, moment) for moment in moments]
    changes = [
        _change_between(zone, moments[n], moments[n + 1])
        for n in range(len(moments) - 1)
        if offsets[n] != offsets[n + 1]
    ]
    return Span(offsets[0], tuple(changes))


def _change_between(zone: ZoneInfo, first: datetime, last: datetime) -> ClockChange:
    before, after = offset_at(zone, first), offset_at(zone, last)
    below, above = 0, (last - first) // _SECOND
    while above - below > 1:
        middle = (below + above) // 2
        if offset_at(zone, first + timedelta(seconds=middle)) == before:
            below = middle
        else:
            above = middle
    return ClockChange(first + timedelta(seconds=above), before, after)


def offset_at(zone: ZoneInfo, moment: datetime) -> timedelta:
    """The zone's offset from UTC at a naive moment in UTC."""
    offset = moment.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    assert offset is not None, "every zone of the IANA database has an offset at any time"
    return offset


def instants_of(zone: ZoneInfo, reading: datetime) -> tuple[datetime, datetime]:
    """The first and the last instant (aware, in UTC) at which a clock shows that naive reading.

    Of a reading that the clock leaves out both are the end of its gap.
    """
    first = zone.utcoffset(reading.replace(fold=0))
    last = zone.utcoffset(reading.replace(fold=1))
    assert first is not None
    assert last is not None
    if last > first:
        changes = span_of(zone, reading.toordinal()).changes
        gap = next(each for each in changes if each.reading_before <= reading < each.reading_after)
        return (gap.instant.replace(tzinfo=UTC),) * 2
    return (reading - first).replace(tzinfo=UTC), (reading - last).replace(tzinfo=UTC)
