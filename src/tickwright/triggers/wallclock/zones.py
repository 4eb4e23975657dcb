"""Time zones and what their clocks do; only listed zones exist, and a reading has one meaning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import quoted, text_of

_MAX_NAME = 64

# Names of files, not of places: what they mean depends on the machine.
_NOT_ZONES = {"localtime", "posixrules", "Factory"}


class ClockChange(NamedTuple):
    """A moment at which a zone's clock jumps, and its offsets from UTC on both sides."""

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
        return self.instant.replace(tzinfo=None) + self.before

    @property
    def reading_after(self) -> datetime:
        """The reading it jumps to: the first after the gap, or the first that comes again."""
        return self.instant.replace(tzinfo=None) + self.after


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


def clock_change(zone: ZoneInfo, reading: datetime) -> ClockChange | None:
    """The change that makes this naive reading missing or ambiguous; None if it is neither."""
    before = zone.utcoffset(reading)
    after = zone.utcoffset(reading.replace(fold=1))
    if before == after:
        return None
    return _find_change(zone, reading)


@lru_cache(maxsize=4096)
def _find_change(zone: ZoneInfo, reading: datetime) -> ClockChange:
    before = offset_of(zone, reading)
    after = offset_of(zone, reading.replace(fold=1))
    low = (reading - max(before, after)).replace(tzinfo=UTC)
    width = abs(after - before) // timedelta(seconds=1)
    below, above = 0, width
    while above - below > 1:
        middle = (below + above) // 2
        moment = low + timedelta(seconds=middle)
        if moment.astimezone(zone).utcoffset() == before:
            below = middle
        else:
            above = middle
    return ClockChange(low + timedelta(seconds=above), before, after)


def offset_of(zone: ZoneInfo, reading: datetime) -> timedelta:
    """The zone's offset from UTC at a naive reading; `fold` chooses between two meanings."""
    offset = zone.utcoffset(reading)
    assert offset is not None, "every zone of the IANA database has an offset at any time"
    return offset
