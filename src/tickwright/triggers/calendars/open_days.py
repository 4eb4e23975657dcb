"""When one calendar is open. Pure: the same definition gives the same answer everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tickwright.model.calendar import (
    FIRST_YEAR,
    LAST_YEAR,
    WEEK,
    CalendarDefinition,
    CalendarException,
    ExceptionKind,
)
from tickwright.triggers.calendars.public_holidays import holidays_in, known_until
from tickwright.triggers.calendars.spans import Spans
from tickwright.triggers.wallclock.zones import instants_of, zone_of

_KEPT_YEARS = 20
_DAY = timedelta(days=1)
_DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_UNNAMED = {
    ExceptionKind.CLOSED: "Closed",
    ExceptionKind.OPEN: "Open",
    ExceptionKind.FREEZE: "Freeze",
}


class OpenDays:
    """One calendar, made ready to be asked. Freezes win, then opened days, then what closes."""

    def __init__(self, definition: CalendarDefinition) -> None:
        self.zone = zone_of(definition.timezone, "timezone")
        self._week = frozenset(WEEK.index(day) for day in definition.weekdays)
        self._holidays = definition.holidays
        self._years: dict[int, tuple[Mapping[date, str], ...]] = {}
        exceptions = definition.exceptions
        self._opened = _days(exceptions, ExceptionKind.OPEN)
        self._closed = _days(exceptions, ExceptionKind.CLOSED)
        self._frozen = _days(exceptions, ExceptionKind.FREEZE)
        self._frozen_hours = _hours(self.zone, exceptions, ExceptionKind.FREEZE)
        either = (ExceptionKind.FREEZE, ExceptionKind.CLOSED)
        self._closed_hours = _hours(self.zone, exceptions, *either)

    def closed_on(self, day: date) -> str | None:
        """Why the whole day is closed."""
        number = day.toordinal()
        frozen = self._frozen.at(number) or self._all_day(self._frozen_hours, day)
        if frozen is not None:
            return frozen
        if self._opened.at(number) is not None:
            return None
        closed = self._closed.at(number) or self._all_day(self._closed_hours, day)
        return closed or self._usually_closed(day)

    def closed_at(self, moment: datetime) -> str | None:
        """Why it is closed at that moment, on the day that it is then on the calendar's clock."""
        frozen = self._frozen_hours.at(moment) if self._frozen_hours else None
        if frozen is not None:
            return frozen
        day = _local_date(self.zone, moment)
        closed = self.closed_on(day)
        if closed is not None or self._opened.at(day.toordinal()) is not None:
            return closed
        return self._closed_hours.at(moment) if self._closed_hours else None

    def partly_closed_on(self, day: date) -> str | None:
        """What closes some hours of an open day."""
        is_opened = self._opened.at(day.toordinal()) is not None
        hours = self._frozen_hours if is_opened else self._closed_hours
        bounds = self._bounds(hours, day)
        return None if bounds is None else hours.touching(*bounds)

    @property
    def known_until(self) -> date | None:
        """The last day that the data says something about; None when it never ends."""
        ends = [known_until(source) for source in self._holidays]
        if not self._week:
            last = self._opened.end
            ends.append(date.min if last is None else date.fromordinal(last - 1))
        return min(ends, default=None)

    def _usually_closed(self, day: date) -> str | None:
        for holidays in self._holidays_of(day.year) if self._holidays else ():
            if day in holidays:
                return holidays[day]
        weekday = day.weekday()
        return None if weekday in self._week else _DAY_NAMES[weekday]

    def _holidays_of(self, year: int) -> tuple[Mapping[date, str], ...]:
        found = self._years.get(year)
        if found is None:
            found = tuple(holidays_in(source, year) for source in self._holidays)
            if len(self._years) >= _KEPT_YEARS:
                self._years.clear()
            self._years[year] = found
        return found

    def _all_day(self, hours: Spans[datetime], day: date) -> str | None:
        bounds = self._bounds(hours, day)
        return None if bounds is None else hours.covering(*bounds)

    def _bounds(self, hours: Spans[datetime], day: date) -> tuple[datetime, datetime] | None:
        """When the local day begins and ends, if `hours` may hold any of it."""
        if not hours or not FIRST_YEAR - 1 <= day.year <= LAST_YEAR + 1:
            return None
        midnight = datetime.combine(day, time())
        return _begins(self.zone, midnight), _begins(self.zone, midnight + _DAY)


def _days(exceptions: Iterable[CalendarException], kind: ExceptionKind) -> Spans[int]:
    return Spans(
        (each.starts.toordinal(), each.ends.toordinal() + 1, each.name or _UNNAMED[kind])
        for each in exceptions
        if each.kind is kind and not each.is_timed
    )


def _hours(
    zone: ZoneInfo, exceptions: Iterable[CalendarException], *kinds: ExceptionKind
) -> Spans[datetime]:
    return Spans(
        (_begins(zone, each.starts), _ends(zone, each.ends), each.name or _UNNAMED[each.kind])
        for each in exceptions
        if each.kind in kinds
        and isinstance(each.starts, datetime)
        and isinstance(each.ends, datetime)
    )


def _begins(zone: ZoneInfo, reading: datetime) -> datetime:
    """The first instant at which the clock has reached `reading`."""
    return instants_of(zone, reading)[0]


def _ends(zone: ZoneInfo, reading: datetime) -> datetime:
    """The instant from which the clock never shows less than `reading` again."""
    return instants_of(zone, reading)[1]


def _local_date(zone: ZoneInfo, moment: datetime) -> date:
    try:
        return moment.astimezone(zone).date()
    except OverflowError:
        return moment.date()
