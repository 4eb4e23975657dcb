"""A cron expression on a wall clock; whatever that clock does, the answer lies after the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar, Self

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import TriggerError, check_fields, text_of
from tickwright.triggers.wallclock.clock import DstGap, DstOverlap, WallClock
from tickwright.triggers.wallclock.cron_rule import CronRule
from tickwright.triggers.wallclock.cron_text import EXPRESSION, explain_cron, parse_cron
from tickwright.triggers.wallclock.zones import zone_of

TIMEZONE = "trigger.timezone"

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
    _clock: WallClock = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        expression = text_of(self.expression, EXPRESSION)
        rule, clock = _resolved(expression, text_of(self.timezone, TIMEZONE))
        object.__setattr__(self, "expression", " ".join(expression.split()))
        object.__setattr__(self, "_rule", rule)
        object.__setattr__(self, "_clock", clock)

    def next_after(self, moment: datetime) -> datetime | None:
        found = self._clock.next_after(self._rule, moment)
        if found is not None and found <= moment:
            raise TriggerError(
                f"{self.expression!r} in {self.timezone} came out at {found}, not after {moment}"
            )
        return found

    def previous_before(self, moment: datetime) -> datetime | None:
        found = self._clock.previous_before(self._rule, moment)
        if found is not None and found >= moment:
            raise TriggerError(
                f"{self.expression!r} in {self.timezone} came out at {found}, not before {moment}"
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
def _resolved(expression: str, timezone: str) -> tuple[CronRule, WallClock]:
    rule = parse_cron(expression)
    zone = zone_of(timezone, TIMEZONE)
    clock = WallClock(
        zone,
        DstGap.AFTER if rule.fixed_time else DstGap.SKIP,
        DstOverlap.FIRST if rule.fixed_time else DstOverlap.BOTH,
    )
    if clock.next_after(rule, _FAR_AHEAD) is None:
        raise InvalidInput(
            EXPRESSION, f"never happens in {timezone}: the clock always skips the times it names"
        )
    return rule, clock
