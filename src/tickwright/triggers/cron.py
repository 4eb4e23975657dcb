"""A cron expression on a wall clock; whatever that clock does, the answer lies after the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self, TypedDict, Unpack

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import (
    TriggerError,
    check_fields,
    choice_of,
    flag_of,
    quoted,
    text_of,
)
from tickwright.triggers.wallclock.clock import DstGap, DstOverlap, Readings, WallClock
from tickwright.triggers.wallclock.cron_fields import EXPRESSION
from tickwright.triggers.wallclock.cron_text import MonthEnd, explain_cron, parse_cron, spreads
from tickwright.triggers.wallclock.options import clock_words, dst_options
from tickwright.triggers.wallclock.zones import zone_of

TIMEZONE = "trigger.timezone"
DAY_AND = "trigger.dayAnd"
MONTH_END = "trigger.monthEnd"
SEED = "trigger.seed"

_MAX_SEED = 1000

# Beyond the changes a zone's history lists, when only its present rules count.
_FAR_AHEAD = datetime(2100, 1, 1, tzinfo=UTC)


class CronOptions(TypedDict, total=False):
    """The optional words of a cron rule; see `Cron`."""

    dst_gap: DstGap | str | None
    dst_overlap: DstOverlap | str | None
    day_and: bool
    month_end: MonthEnd | str
    seed: str | None


def cron(expression: str, *, tz: str = "UTC", **options: Unpack[CronOptions]) -> Cron:
    """By a cron expression of 5 fields, or 6 with the second first, on the clock of a zone.

    `dst_gap` (`after`, `shift`, `skip`) says what becomes of times that a clock change leaves
    out, `dst_overlap` (`first`, `last`, `both`) which of two passes counts; without them fixed
    times run after the gap and in the first pass, and all others in real time. With `day_and` both
    day fields must match. `month_end="clamp"` moves days that a month lacks to its last. `H` draws
    values from `seed`, or from the schedule when there is none.
    """
    return Cron(expression, tz, **options)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Cron:
    """Happens whenever the clock of a zone shows a matching time.

    Clock changes follow Debian's cron where no option says otherwise. A fixed-time expression,
    whose minute and hour do not start with `*` and whose second is one value, happens once at the
    end of a gap that swallowed it, and in the first pass only of an hour that comes twice. Any
    other runs in real time. A gap of more than three hours is no clock change but a day that did
    not exist.
    """

    kind: ClassVar[str] = "cron"
    recurring: ClassVar[bool] = True

    expression: str
    timezone: str = "UTC"
    dst_gap: DstGap | None = None
    dst_overlap: DstOverlap | None = None
    day_and: bool = False
    month_end: MonthEnd = MonthEnd.SKIP
    seed: str | None = None
    _found: _Resolved = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        gap, overlap = dst_options(self.dst_gap, self.dst_overlap)
        fields = _Fields(
            expression=" ".join(text_of(self.expression, EXPRESSION).split()),
            timezone=text_of(self.timezone, TIMEZONE),
            dst_gap=gap,
            dst_overlap=overlap,
            day_and=flag_of(self.day_and, DAY_AND),
            month_end=choice_of(MonthEnd, self.month_end, MONTH_END),
            seed=_seed(self.seed),
        )
        found = _resolved(fields._replace(expression=self.expression))
        if fields.seed is not None and not found.spreads:
            raise InvalidInput(SEED, "goes with H in the expression only")
        for name, value in fields._asdict().items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_found", found)

    def next_after(self, moment: datetime) -> datetime | None:
        found = self._clock().next_after(self._found.rule, moment)
        if found is not None and found <= moment:
            raise TriggerError(
                f"{self.expression!r} in {self.timezone} came out at {found}, not after {moment}"
            )
        return found

    def previous_before(self, moment: datetime) -> datetime | None:
        found = self._clock().previous_before(self._found.rule, moment)
        if found is not None and found >= moment:
            raise TriggerError(
                f"{self.expression!r} in {self.timezone} came out at {found}, not before {moment}"
            )
        return found

    def _clock(self) -> WallClock:
        if self._found.spreads and self.seed is None:
            raise TriggerError("H has no value without a seed: anchor the rule first")
        return self._found.clock

    def anchored(self, moment: datetime, seed: str = "") -> Self:
        if self.seed is not None or not self._found.spreads:
            return self
        return replace(self, seed=seed)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "type": self.kind,
            "expression": self.expression,
            "timezone": self.timezone,
        }
        if self.dst_gap is not None:
            data["dstGap"] = self.dst_gap.value
        if self.dst_overlap is not None:
            data["dstOverlap"] = self.dst_overlap.value
        if self.day_and:
            data["dayAnd"] = True
        if self.month_end is not MonthEnd.SKIP:
            data["monthEnd"] = self.month_end.value
        if self.seed is not None:
            data["seed"] = self.seed
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        check_fields(
            data,
            cls.kind,
            required=("expression",),
            optional=("timezone", "dstGap", "dstOverlap", "dayAnd", "monthEnd", "seed"),
        )
        return cls(
            data["expression"],
            data.get("timezone", "UTC"),
            data.get("dstGap"),
            data.get("dstOverlap"),
            data.get("dayAnd", False),
            data.get("monthEnd", MonthEnd.SKIP),
            data.get("seed"),
        )

    @classmethod
    def lacks_zone(cls, data: Mapping[str, Any]) -> bool:
        return "timezone" not in data

    def describe(self) -> str:
        if self._found.spreads and self.seed is None:
            words = f"By {self.expression} with each H spread by schedule"
        else:
            words = explain_cron(self.expression, self.day_and, self.seed)
        if self.month_end is MonthEnd.CLAMP:
            words += ", or on the last day of a shorter month"
        return f"{words} ({self.timezone}{clock_words(self.dst_gap, self.dst_overlap)})"


class _Fields(NamedTuple):
    """What a rule is made of, read."""

    expression: str
    timezone: str
    dst_gap: DstGap | None
    dst_overlap: DstOverlap | None
    day_and: bool
    month_end: MonthEnd
    seed: str | None


class _Resolved(NamedTuple):
    """What the fields of a rule come to."""

    rule: Readings
    clock: WallClock
    spreads: bool


@lru_cache(maxsize=16_384)
def _resolved(given: _Fields) -> _Resolved:
    clamp = given.month_end is MonthEnd.CLAMP
    rule = parse_cron(given.expression, day_and=given.day_and, clamp=clamp, seed=given.seed)
    clock = WallClock(
        zone_of(given.timezone, TIMEZONE),
        given.dst_gap or (DstGap.AFTER if rule.fixed_time else DstGap.SKIP),
        given.dst_overlap or (DstOverlap.FIRST if rule.fixed_time else DstOverlap.BOTH),
    )
    if clock.next_after(rule, _FAR_AHEAD) is None:
        raise InvalidInput(
            EXPRESSION,
            f"never happens in {given.timezone}: the clock always skips the times it names",
        )
    return _Resolved(rule, clock, spreads(given.expression))


def _seed(value: object) -> str | None:
    if value is None:
        return None
    text = text_of(value, SEED)
    if len(text) > _MAX_SEED or not text.isprintable():
        raise InvalidInput(
            SEED, f"must be at most {_MAX_SEED} printable characters, not {quoted(text)}"
        )
    return text
