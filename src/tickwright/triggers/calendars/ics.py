"""Dated exceptions from the events of an iCalendar file (RFC 5545), in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tickwright.model.calendar import (
    FIRST_YEAR,
    MAX_EXCEPTIONS,
    MAX_NAME,
    CalendarException,
    ExceptionKind,
)
from tickwright.model.errors import InvalidInput
from tickwright.model.storable import storable_text
from tickwright.triggers.base import quoted
from tickwright.triggers.calendars.yearly import YearlyRule

if TYPE_CHECKING:
    from icalendar import Component

MAX_BYTES = 1024 * 1024
YEARS_AHEAD = 10
MAX_EFFORT = 2_000_000
_BEHIND = timedelta(days=366)
_DAY = timedelta(days=1)
_BROKEN = (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError)


def exceptions_in(
    ics: str | bytes, zone: ZoneInfo, kind: ExceptionKind, today: date
) -> tuple[CalendarException, ...]:
    """One exception of `kind` for each time an event happens, in the order of their days.

    Yearly events are repeated up to ten years ahead. What ended more than a year ago is left out,
    and so is what is cancelled. InvalidInput for `ics` says which event cannot be read.
    """
    last_year = today.year + YEARS_AHEAD
    events = list(_events(_text(ics)))
    if sum(each.effort(last_year) for each in events) > MAX_EFFORT:
        raise InvalidInput("ics", "repeats its events by rules that take too long to follow")
    moved = {(each.uid, each.replaces) for each in events if each.replaces is not None}
    found: dict[tuple[date, date, str | None], None] = {}
    for event in events:
        for day in () if event.is_cancelled else event.days(last_year):
            if event.replaces is None and (event.uid, day) in moved:
                continue
            starts, ends = event.at(day, zone)
            if _date(ends) >= today - _BEHIND:
                found[starts, ends, event.name] = None
        if len(found) > MAX_EXCEPTIONS:
            raise InvalidInput("ics", f"gives more than {MAX_EXCEPTIONS:,} exceptions")
    try:
        made = [CalendarException(kind, *each) for each in found]
    except InvalidInput as error:
        raise InvalidInput("ics", f"has an event whose `{error.field}` {error.reason}") from None
    return tuple(sorted(made, key=lambda each: each.starts.isoformat()))


@dataclass(frozen=True, slots=True)
class _Event:
    uid: str
    name: str | None
    starts: date
    lasts: timedelta
    rule: YearlyRule | None
    also: frozenset[date]
    never: frozenset[date]
    replaces: date | None
    is_cancelled: bool

    def effort(self, last_year: int) -> int:
        """How many days are looked at to find those on which it begins."""
        if self.rule is None:
            return 1
        return self.rule.effort * len(self._years(self.rule, last_year))

    def days(self, last_year: int) -> list[date]:
        """The days on which it begins, on the clock that the file has it by."""
        first = _date(self.starts)
        repeated = [] if self.rule is None else self._repeated(self.rule, first, last_year)
        return sorted({first, *repeated, *self.also} - self.never)

    def _repeated(self, rule: YearlyRule, first: date, last_year: int) -> Iterator[date]:
        years = self._years(rule, last_year)
        days = (day for year in years for day in rule.days_in(year, first) if day >= first)
        for n, day in enumerate(days):
            if n == rule.count or (rule.until is not None and day > rule.until):
                return
            yield day

    def _years(self, rule: YearlyRule, last_year: int) -> range:
        """Those that matter; only a count has to be kept from the beginning."""
        begin = self.starts.year
        if rule.count is None:
            begin = max(begin, last_year - YEARS_AHEAD - 2)
            begin += (self.starts.year - begin) % rule.interval
        return range(begin, last_year + 1, rule.interval)

    def at(self, day: date, zone: ZoneInfo) -> tuple[date, date]:
        """First and last day of what begins on `day`, or from when to when it is in `zone`."""
        if not isinstance(self.starts, datetime):
            return day, day + self.lasts - _DAY
        begins = datetime.combine(day, self.starts.timetz())
        if begins.tzinfo is None:
            return begins, begins + self.lasts
        return _reading(begins, zone), _reading(begins.astimezone(UTC) + self.lasts, zone)


def _text(ics: str | bytes) -> str:
    raw = ics.encode("utf-8", "replace") if isinstance(ics, str) else ics
    if len(raw) > MAX_BYTES:
        raise InvalidInput("ics", f"may have at most {MAX_BYTES:,} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("ics", "is not UTF-8") from None


def _events(text: str) -> Iterator[_Event]:
    from icalendar import Calendar

    if text.upper().count("BEGIN:VEVENT") > MAX_EXCEPTIONS:
        raise InvalidInput("ics", f"has more than {MAX_EXCEPTIONS:,} events")
    try:
        calendars = Calendar.from_ical(text, multiple=True)
        components = [each for found in calendars for each in found.walk("VEVENT")]
    except _BROKEN as error:
        raise InvalidInput("ics", f"is no iCalendar file: {quoted(str(error), 100)}") from None
    if not components:
        raise InvalidInput("ics", "holds no event")
    for n, component in enumerate(components, 1):
        try:
            yield _event(component)
        except _BROKEN as error:
            which = quoted(str(component.get("SUMMARY") or component.get("UID") or "unnamed"))
            raise InvalidInput("ics", f"event {n} ({which}): {error}") from None


def _event(component: Component) -> _Event:
    for name, reason in component.errors:
        raise ValueError(f"{name}: {quoted(str(reason), 100)}")
    starts = _moment(component, "DTSTART")
    if starts is None:
        raise ValueError("has no DTSTART")
    rule = component.get("RRULE")
    if isinstance(rule, list):
        raise ValueError("has several rules")
    name = storable_text(" ".join(str(component.get("SUMMARY", "")).split()), MAX_NAME)
    replaces = _moment(component, "RECURRENCE-ID")
    read = None if rule is None else YearlyRule.read(rule, _until(rule, starts))
    if read is not None and read.count is not None and starts.year < FIRST_YEAR:
        raise ValueError(f"is counted from before {FIRST_YEAR}")
    return _Event(
        uid=str(component.get("UID", "")),
        name=name or None,
        starts=starts,
        lasts=_duration(component, starts),
        rule=read,
        also=frozenset(_all_days(component, "RDATE", starts)),
        never=frozenset(_all_days(component, "EXDATE", starts)),
        replaces=None if replaces is None else _day_beside(starts, replaces),
        is_cancelled=str(component.get("STATUS", "")).upper() == "CANCELLED",
    )


def _moment(component: Component, name: str) -> date | None:
    value = component.get(name)
    if value is None:
        return None
    moment = value.dt
    if not isinstance(moment, date):
        raise ValueError(f"{name} is no date or time")
    if isinstance(moment, datetime) and moment.tzinfo is None and "TZID" in value.params:
        raise ValueError(f"{name} has the unknown zone {quoted(str(value.params['TZID']))}")
    return moment


def _duration(component: Component, starts: date) -> timedelta:
    given, ends = component.get("DURATION"), _moment(component, "DTEND")
    is_timed = isinstance(starts, datetime)
    if given is not None:
        lasts = given.dt
    elif ends is None:
        lasts = timedelta(0)
    elif isinstance(ends, datetime) != is_timed:
        raise ValueError("DTSTART and DTEND must both be dates or both be times")
    else:
        lasts = _elapsed(starts, ends)
    if not is_timed:
        # Some programs have a day end on the day itself.
        lasts = max(lasts, _DAY)
    if lasts <= timedelta(0):
        raise ValueError("ends when it begins")
    return timedelta(days=-(-lasts // _DAY)) if not is_timed else lasts


def _elapsed(starts: date, ends: date) -> timedelta:
    if (
        isinstance(starts, datetime)
        and isinstance(ends, datetime)
        and starts.tzinfo
        and ends.tzinfo
    ):
        return ends.astimezone(UTC) - starts.astimezone(UTC)
    return ends - starts


def _until(rule: Any, starts: date) -> date | None:
    """The last day on which the rule may have it begin."""
    until = rule.get("UNTIL", [None])[0]
    if until is None:
        return None
    if isinstance(until, datetime) and isinstance(starts, datetime):
        if until.tzinfo is not None and starts.tzinfo is not None:
            until = until.astimezone(starts.tzinfo)
        return until.date() - (_DAY if until.time() < starts.time() else timedelta(0))
    return _date(until)


def _all_days(component: Component, name: str, starts: date) -> Iterator[date]:
    values = component.get(name, [])
    for value in values if isinstance(values, list) else [values]:
        for each in value.dts:
            if not isinstance(each.dt, date):
                raise ValueError(f"{name} is no list of dates or times")
            yield _day_beside(starts, each.dt)


def _day_beside(starts: date, moment: date) -> date:
    """The day of `moment` on the clock by which the event starts."""
    clock = starts.tzinfo if isinstance(starts, datetime) else None
    if isinstance(moment, datetime) and moment.tzinfo is not None and clock is not None:
        moment = moment.astimezone(clock)
    return _date(moment)


def _date(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _reading(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
