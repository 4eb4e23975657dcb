"""One instant, once: a moment, or what the clock of a zone shows, kept as it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from tickwright.model.errors import InvalidInput
from tickwright.model.timestamps import (
    aware,
    from_rfc3339,
    local_text,
    offset_from_rfc3339,
    to_rfc3339,
)
from tickwright.triggers.base import check_fields, text_of
from tickwright.triggers.wallclock.clock import DstGap, DstOverlap, WallClock
from tickwright.triggers.wallclock.options import DST_GAP, DST_OVERLAP, clock_words, dst_options
from tickwright.triggers.wallclock.zones import zone_of

AT = "trigger.at"
TIMEZONE = "trigger.timezone"


def at(
    moment: datetime,
    *,
    tz: str | None = None,
    dst_gap: DstGap | str | None = None,
    dst_overlap: DstOverlap | str | None = None,
) -> OneShot:
    """Once, at this moment; with `tz` when the clock of that zone shows it.

    A datetime without a time zone needs `tz`. One that a clock change leaves out happens `after`
    the gap (the default) or is put off by it (`shift`), and is refused with `skip`; one that comes
    twice counts the `first` time, or the `last` if `dst_overlap` or its `fold` says so.
    """
    return OneShot(moment, tz, dst_gap, dst_overlap)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class OneShot:
    """Happens at one moment and never again.

    With a zone `at` is what its clock shows, or has an offset that this clock has then; what the
    moment is in UTC follows from the present rules of the zone.
    """

    kind: ClassVar[str] = "one_shot"
    recurring: ClassVar[bool] = False

    at: datetime
    timezone: str | None = None
    dst_gap: DstGap | None = None
    dst_overlap: DstOverlap | None = None
    _instant: datetime = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        gap, overlap = dst_options(self.dst_gap, self.dst_overlap)
        local = _is_local(self.at)
        if self.timezone is None or not local:
            for given, name in ((gap, DST_GAP), (overlap, DST_OVERLAP)):
                if given is not None:
                    raise InvalidInput(name, "goes with a local time and a time zone only")
        if self.timezone is None:
            at = instant = aware(AT, self.at)
        elif not local:
            at, instant = _with_offset(self.at, self.timezone)
        else:
            overlap = overlap or (DstOverlap.LAST if self.at.fold else None)
            at = self.at.replace(fold=0, tzinfo=None)
            instant = _shown(at, self.timezone, gap, overlap)
        values = {"at": at, "dst_gap": gap, "dst_overlap": overlap, "_instant": instant}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def next_after(self, moment: datetime) -> datetime | None:
        return self._instant if self._instant > moment else None

    def previous_before(self, moment: datetime) -> datetime | None:
        return self._instant if self._instant < moment else None

    def anchored(self, moment: datetime, seed: str = "") -> Self:
        return self

    def to_json(self) -> dict[str, Any]:
        if self.timezone is None:
            return {"type": self.kind, "at": to_rfc3339(self.at)}
        data: dict[str, Any] = {
            "type": self.kind,
            "at": self.at.isoformat().replace("+00:00", "Z"),
            "timezone": self.timezone,
        }
        if self.dst_gap is not None:
            data["dstGap"] = self.dst_gap.value
        if self.dst_overlap is not None:
            data["dstOverlap"] = self.dst_overlap.value
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        check_fields(
            data, cls.kind, required=("at",), optional=("timezone", "dstGap", "dstOverlap")
        )
        if "timezone" not in data:
            at = from_rfc3339(AT, data["at"])
        else:
            at = local_text(AT, data["at"]) or offset_from_rfc3339(AT, data["at"])
        return cls(at, data.get("timezone"), data.get("dstGap"), data.get("dstOverlap"))

    def describe(self) -> str:
        moment = f"{self._instant.replace(tzinfo=None).isoformat(' ')} UTC"
        if self.timezone is None:
            return f"once at {moment}"
        shown = self.at.replace(tzinfo=None).isoformat(" ")
        words = clock_words(self.dst_gap, self.dst_overlap)
        return f"once at {shown} ({self.timezone}{words}), which is {moment}"


def _is_local(moment: object) -> bool:
    return isinstance(moment, datetime) and moment.utcoffset() is None


def _with_offset(moment: datetime, timezone_name: str) -> tuple[datetime, datetime]:
    """A moment with an offset that a zone has then (or in UTC), as written and in UTC."""
    zone = zone_of(text_of(timezone_name, TIMEZONE), TIMEZONE)
    instant = aware(AT, moment)
    offset, there = moment.utcoffset() or timedelta(), _offset_there(instant, zone)
    if offset not in (timedelta(), there):
        wanted = timezone(there)
        raise InvalidInput(AT, f"has an offset that {timezone_name} has not then: it has {wanted}")
    return moment.replace(tzinfo=timezone(offset)), instant


def _offset_there(instant: datetime, zone: ZoneInfo) -> timedelta:
    try:
        return instant.astimezone(zone).utcoffset() or timedelta()
    except OverflowError:
        raise InvalidInput(AT, "lies outside the years 1 to 9999 in its time zone") from None


def _shown(
    reading: datetime, timezone_name: str, gap: DstGap | None, overlap: DstOverlap | None
) -> datetime:
    """The moment at which the clock of a zone shows this reading."""
    if overlap is DstOverlap.BOTH:
        raise InvalidInput(DST_OVERLAP, "must be first or last: it happens once")
    zone = zone_of(text_of(timezone_name, TIMEZONE), TIMEZONE)
    clock = WallClock(zone, gap or DstGap.AFTER, overlap or DstOverlap.FIRST)
    found = clock.instants_of(reading.replace(microsecond=0))
    if not found:
        raise InvalidInput(AT, f"does not exist in {timezone_name}: its clock leaves it out")
    return found[0] + timedelta(microseconds=reading.microsecond)
