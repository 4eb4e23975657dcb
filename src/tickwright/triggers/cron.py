"""A cron expression on a wall clock; whatever that clock does, the answer lies after the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import TriggerError, check_fields, text_of
from tickwright.triggers.wallclock.cron_rule import CronRule
from tickwright.triggers.wallclock.cron_text import EXPRESSION, explain_cron, parse_cron
from tickwright.triggers.wallclock.zones import ClockChange, clock_change, offset_of, zone_of

TIMEZONE = "trigger.timezone"

_LONGEST_GAP = timedelta(hours=3)
_SECOND = timedelta(seconds=1)

# One that always falls into a gap does so once or twice a year; 50 years without a match is never.
_MOST_GAPS = 100

# From here on every moment can be read on the clock of every zone.
_EARLIEST = datetime(1, 1, 3, tzinfo=UTC)

# Beyond the changes a zone's history lists, when only its present rules count.
_FAR_AHEAD = datetime(2100, 1, 1, tzinfo=UTC)


def cron(expression: str, *, tz: str = "UTC") -> Cron:
    """By a cron expression of 5 fields, or 6 with the second first, on the clock of a zone."""
    return Cron(expression, tz)


@dataclass(frozen=True, slots=True)
class Cron:
    """Happens whenever the clock of a zone shows a matching time.

    Clock changes follow Debian's cron. A fixed-time expression, whose minute and hour do not
    start with `*` and whose second is one value, happens once at the end of a gap that swallowed
    it, and in the first pass only of an hour that comes twice. Any other runs in real time. A gap
    of more than three hours is no clock change but a day that did not exist.
    """

    kind: ClassVar[str] = "cron"
    recurring: ClassVar[bool] = True

    expression: str
    timezone: str = "UTC"
    _rule: CronRule = field(init=False, repr=False, compare=False)
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        expression = text_of(self.expression, EXPRESSION)
        rule, zone = _resolved(expression, text_of(self.timezone, TIMEZONE))
        object.__setattr__(self, "expression", " ".join(expression.split()))
        object.__setattr__(self, "_rule", rule)
        object.__setattr__(self, "_zone", zone)

    def next_after(self, moment: datetime) -> datetime | None:
        if moment.tzinfo is None:
            raise TypeError("moment must be an aware datetime")
        try:
            found = _next_instant(self._rule, self._zone, moment)
        except OverflowError:
            return self.next_after(_EARLIEST) if moment < _EARLIEST else None
        if found is not None and found <= moment:
            raise TriggerError(
                f"{self.expression!r} in {self.timezone} came out at {found}, not after {moment}"
            )
        return found

    def anchored(self, moment: datetime) -> Self:
        return self

    def to_json(self) -> dict[str, Any]:
        return {"type": self.kind, "expression": self.expression, "timezone": self.timezone}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        check_fields(data, cls.kind, required=("expression",), optional=("timezone",))
        return cls(data["expression"], data.get("timezone", "UTC"))

    def describe(self) -> str:
        return f"{explain_cron(self.expression)} ({self.timezone})"


@lru_cache(maxsize=16_384)
def _resolved(expression: str, timezone: str) -> tuple[CronRule, ZoneInfo]:
    rule = parse_cron(expression)
    zone = zone_of(timezone, TIMEZONE)
    if _next_instant(rule, zone, _FAR_AHEAD) is None:
        raise InvalidInput(
            EXPRESSION, f"never happens in {timezone}: the clock always skips the times it names"
        )
    return rule, zone


def _next_instant(rule: CronRule, zone: ZoneInfo, moment: datetime) -> datetime | None:
    local = moment.astimezone(zone)
    reading = local.replace(tzinfo=None, fold=0, microsecond=0)
    start = reading + _SECOND
    repeat = clock_change(zone, reading)
    if repeat is not None and (local.fold == 1 or not rule.fixed_time):
        if not rule.fixed_time:
            found = _within_repeat(rule, repeat, start, second_pass=local.fold == 1)
            if found is not None:
                return found
        start = repeat.reading_before
    return _first_resolved(rule, zone, start)


def _within_repeat(
    rule: CronRule, repeat: ClockChange, start: datetime, *, second_pass: bool
) -> datetime | None:
    """The next match while the clock shows times that come twice, from `start` in this pass."""
    passes = [(start, repeat.after)]
    if not second_pass:
        passes = [(start, repeat.before), (repeat.reading_after, repeat.after)]
    for begin, offset in passes:
        match = rule.at_or_after(begin)
        if match is not None and match < repeat.reading_before:
            return _utc(match, offset)
    return None


def _first_resolved(rule: CronRule, zone: ZoneInfo, start: datetime) -> datetime | None:
    """The instant of the first match from the reading `start` on that has one."""
    for _ in range(_MOST_GAPS):
        match = rule.at_or_after(start)
        if match is None:
            return None
        change = clock_change(zone, match)
        if change is None or change.after < change.before:
            return _utc(match, offset_of(zone, match))
        if rule.fixed_time and change.jump <= _LONGEST_GAP:
            return change.instant
        start = change.reading_after
    return None


def _utc(reading: datetime, offset: timedelta) -> datetime:
    return (reading - offset).replace(tzinfo=UTC)
