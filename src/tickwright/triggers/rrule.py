"""A recurrence rule (RFC 5545); by days on the clock of a zone, by hours in elapsed time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self, TypedDict, Unpack

from tickwright.model.errors import InvalidInput
from tickwright.model.timestamps import from_rfc3339, local_text, offset_from_rfc3339
from tickwright.triggers.base import TriggerError, check_fields, quoted, text_of
from tickwright.triggers.recurrence.dates import Dates, Walk
from tickwright.triggers.recurrence.parts import RULE, Parts, parse_rule
from tickwright.triggers.recurrence.steps import Steps
from tickwright.triggers.recurrence.text import (
    EXDATES,
    RDATES,
    START,
    TIMEZONE,
    Given,
    plain_text,
    read,
    whole_seconds,
)
from tickwright.triggers.recurrence.ticks import Ticks
from tickwright.triggers.recurrence.words import explain_rule
from tickwright.triggers.wallclock.clock import DstGap, DstOverlap, WallClock
from tickwright.triggers.wallclock.options import DST_GAP, DST_OVERLAP, clock_words, dst_options
from tickwright.triggers.wallclock.zones import zone_of

MAX_DATES = 500
_TICK = timedelta(microseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)


class RruleOptions(TypedDict, total=False):
    """The optional words of a recurrence rule; see `rrule`."""

    rdates: Iterable[datetime]
    exdates: Iterable[datetime]
    dst_gap: DstGap | str | None
    dst_overlap: DstOverlap | str | None


def rrule(
    rule: str,
    *,
    start: datetime | None = None,
    tz: str | None = None,
    **options: Unpack[RruleOptions],
) -> Rrule:
    """By a recurrence rule such as "FREQ=MONTHLY;BYMONTHDAY=-1", counted from `start`.

    `rule` may also be a text with DTSTART, RRULE, RDATE and EXDATE on lines of their own.
    `start`, `rdates` and `exdates` are times without a zone, on the clock of `tz` (default UTC),
    or moments. Rules by days and slower follow that clock: a time that it leaves out is put off
    by the gap, and one that comes twice counts the first time, unless `dst_gap` and `dst_overlap`
    say otherwise. Rules by hours and faster go by elapsed time.
    """
    given = Given(
        text_of(rule, RULE),
        None if start is None else whole_seconds(start, START),
        tz,
        tuple(options.get("rdates", ())),
        tuple(options.get("exdates", ())),
    )
    return Rrule.of(given, options.get("dst_gap"), options.get("dst_overlap"))


@dataclass(frozen=True, slots=True)
class Rrule:
    """Happens at the dates of a rule and at `rdates`, but not at `exdates`.

    Naive times are readings of the zone's clock, aware ones moments. COUNT and UNTIL bound the
    rule alone; COUNT counts its dates from the start, whether they are excluded or not.
    """

    kind: ClassVar[str] = "rrule"
    recurring: ClassVar[bool] = True

    rule: str
    start: datetime
    timezone: str = "UTC"
    rdates: tuple[datetime, ...] = ()
    exdates: tuple[datetime, ...] = ()
    dst_gap: DstGap | None = None
    dst_overlap: DstOverlap | None = None
    _found: _Resolved = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        gap, overlap = dst_options(self.dst_gap, self.dst_overlap)
        given = read(
            Given(
                text_of(self.rule, RULE),
                whole_seconds(self.start, START),
                text_of(self.timezone, TIMEZONE),
            )
        )
        fields = _Fields(
            rule=given.rule,
            start=given.start or self.start,
            timezone=self.timezone,
            rdates=_dates(self.rdates, RDATES),
            exdates=_dates(self.exdates, EXDATES),
            dst_gap=gap,
            dst_overlap=overlap,
        )
        found = _resolved(fields)
        for name, value in fields._asdict().items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_found", found)

    @classmethod
    def of(cls, given: Given, gap: object = None, overlap: object = None) -> Self:
        """From what was given in one text or in separate fields."""
        read_ = read(given)
        assert read_.start is not None, "what has been read has a start"
        return cls(
            read_.rule,
            read_.start,
            read_.timezone or "UTC",
            read_.rdates,
            read_.exdates,
            *dst_options(gap, overlap),
        )

    def next_after(self, moment: datetime) -> datetime | None:
        found = self._found.next_after(moment)
        if found is not None and found <= moment:
            raise TriggerError(f"{self.rule!r} came out at {found}, not after {moment}")
        return found

    def previous_before(self, moment: datetime) -> datetime | None:
        found = self._found.previous_before(moment)
        if found is not None and found >= moment:
            raise TriggerError(f"{self.rule!r} came out at {found}, not before {moment}")
        return found

    def anchored(self, moment: datetime, seed: str = "") -> Self:
        return self

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "type": self.kind,
            "rule": self.rule,
            "start": plain_text(self.start),
            "timezone": self.timezone,
        }
        for name in ("rdates", "exdates"):
            if dates := getattr(self, name):
                data[name] = [plain_text(each) for each in dates]
        if self.dst_gap is not None:
            data["dstGap"] = self.dst_gap.value
        if self.dst_overlap is not None:
            data["dstOverlap"] = self.dst_overlap.value
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        optional = ("start", "timezone", "rdates", "exdates", "dstGap", "dstOverlap")
        check_fields(data, cls.kind, required=("rule",), optional=optional)
        given = Given(
            text_of(data["rule"], RULE),
            _time(data["start"], START) if "start" in data else None,
            text_of(data["timezone"], TIMEZONE) if "timezone" in data else None,
            _times(data.get("rdates", []), RDATES),
            _times(data.get("exdates", []), EXDATES),
        )
        return cls.of(given, data.get("dstGap"), data.get("dstOverlap"))

    @classmethod
    def lacks_zone(cls, data: Mapping[str, Any]) -> bool:
        rule, start = str(data.get("rule")).upper(), str(data.get("start")).upper()
        begins = rule.partition("DTSTART")[2].partition("\n")[0].strip()
        return "timezone" not in data and not (
            "TZID=" in begins or begins.endswith("Z") or start.endswith("Z")
        )

    def describe(self) -> str:
        words = explain_rule(self._found.parts, self.start)
        zone = f"{self.timezone}{clock_words(self.dst_gap, self.dst_overlap)}"
        more = f" and on {_counted(self.rdates)}" if self.rdates else ""
        less = f" except on {_counted(self.exdates)}" if self.exdates else ""
        return f"{words}{more}{less} from {self.start} ({zone})"


class _Fields(NamedTuple):
    """What a rule is made of, read."""

    rule: str
    start: datetime
    timezone: str
    rdates: tuple[datetime, ...]
    exdates: tuple[datetime, ...]
    dst_gap: DstGap | None
    dst_overlap: DstOverlap | None


class _OnClock(NamedTuple):
    """Dates as a clock shows them."""

    dates: Dates
    clock: WallClock

    def next_after(self, moment: datetime, steps: Steps) -> datetime | None:
        return self.clock.next_after(Walk(self.dates, steps), moment)

    def previous_before(self, moment: datetime, steps: Steps) -> datetime | None:
        return self.clock.previous_before(Walk(self.dates, steps), moment)


@dataclass(frozen=True, slots=True)
class _Resolved:
    """A rule, with the moments at which its other dates are shown."""

    parts: Parts
    instants: _OnClock | Ticks
    until: datetime | None
    added: list[datetime]
    removed: frozenset[datetime]

    def next_after(self, moment: datetime) -> datetime | None:
        steps = Steps()
        while (found := self._next_after(moment, steps)) in self.removed:
            moment = found
        return found

    def previous_before(self, moment: datetime) -> datetime | None:
        steps = Steps()
        while (found := self._previous_before(moment, steps)) in self.removed:
            moment = found
        return found

    def _next_after(self, moment: datetime, steps: Steps) -> datetime | None:
        found = self.instants.next_after(moment, steps)
        if found is not None and self.until is not None and found > self.until:
            found = None
        index = bisect_right(self.added, moment)
        if index == len(self.added):
            return found
        return self.added[index] if found is None else min(found, self.added[index])

    def _previous_before(self, moment: datetime, steps: Steps) -> datetime | None:
        before = moment if self.until is None else min(moment, self.until + _TICK)
        found = self.instants.previous_before(before, steps)
        index = bisect_left(self.added, moment)
        if index == 0:
            return found
        return self.added[index - 1] if found is None else max(found, self.added[index - 1])


@lru_cache(maxsize=4096)
def _resolved(given: _Fields) -> _Resolved:
    zone = zone_of(given.timezone, TIMEZONE)
    clock = WallClock(zone, given.dst_gap or DstGap.SHIFT, given.dst_overlap or DstOverlap.FIRST)
    try:
        parts = parse_rule(given.rule)
        found = _Resolved(
            parts,
            _instants(parts, given, clock),
            _until(parts, clock),
            sorted({each for date in given.rdates for each in _shown(date, clock)}),
            frozenset(each for date in given.exdates for each in _shown(date, clock)),
        )
        first = found.next_after(_FIRST)
    except TriggerError as error:
        raise InvalidInput(RULE, f"cannot be answered in bounded time: {error}") from None
    if first is None:
        raise InvalidInput(RULE, "never happens")
    return found


def _instants(parts: Parts, given: _Fields, clock: WallClock) -> _OnClock | Ticks:
    if not parts.freq.stepped:
        return _OnClock(Dates(parts, given.start), clock)
    for value, name in ((given.dst_gap, DST_GAP), (given.dst_overlap, DST_OVERLAP)):
        if value is not None:
            raise InvalidInput(name, f"goes with FREQ=DAILY and slower, not {parts.freq.name}")
    shown = clock.instants_of(given.start)
    if not shown:
        raise InvalidInput(START, f"does not exist in {given.timezone}")
    return Ticks(parts, given.start, shown[0], clock.zone)


def _until(parts: Parts, clock: WallClock) -> datetime | None:
    """The last moment; a local UNTIL that is shown twice means the second, one that is not none."""
    if parts.until is None or parts.until.tzinfo is not None:
        return parts.until
    shown = WallClock(clock.zone, DstGap.SHIFT, DstOverlap.BOTH).instants_of(parts.until)
    if not shown:
        raise InvalidInput(RULE, "UNTIL does not exist in its zone; give it in UTC, with a Z")
    return shown[-1]


def _shown(date: datetime, clock: WallClock) -> tuple[datetime, ...]:
    return (date,) if date.tzinfo is not None else clock.instants_of(date)


def _dates(values: object, name: str) -> tuple[datetime, ...]:
    if not isinstance(values, tuple | list):
        raise InvalidInput(name, f"must be a list of times, not {quoted(values)}")
    if len(values) > MAX_DATES:
        raise InvalidInput(name, f"has more than {MAX_DATES} times")
    dates = [whole_seconds(each, name) for each in values]
    return tuple(each if each.tzinfo is None else each.astimezone(UTC) for each in dates)


def _times(values: object, name: str) -> tuple[datetime, ...]:
    if not isinstance(values, list):
        raise InvalidInput(name, f"must be a list of times, not {quoted(values)}")
    return tuple(
        local_text(name, each) or from_rfc3339(name, each) for each in values[: MAX_DATES + 1]
    )


def _time(value: object, name: str) -> datetime:
    return whole_seconds(local_text(name, value) or offset_from_rfc3339(name, value), name)


def _counted(dates: tuple[datetime, ...]) -> str:
    return "1 date" if len(dates) == 1 else f"{len(dates)} dates"
