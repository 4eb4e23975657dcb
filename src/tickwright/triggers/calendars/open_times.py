"""When several calendars are open together, and the search for the nearest day that is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Self

from tickwright.model.calendar import CalendarDefinition
from tickwright.model.errors import InvalidInput
from tickwright.triggers.calendars.compiled import CompiledCalendars
from tickwright.triggers.calendars.open_days import OpenDays
from tickwright.triggers.calendars.public_holidays import check_source
from tickwright.triggers.wallclock.zones import zone_of

SEARCH_DAYS = 31
HORIZON_DAYS = 400
_DAY = timedelta(days=1)
_compiled = CompiledCalendars()


class OpenTimes:
    """Several calendars at once: open is what all of them have open; none is always open."""

    def __init__(self, calendars: Iterable[OpenDays]) -> None:
        self._calendars = tuple(calendars)

    @classmethod
    def of(cls, *definitions: CalendarDefinition) -> Self:
        return cls(OpenDays(definition) for definition in definitions)

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Self:
        """What calendars stored as these JSON texts make together; each is made ready once.

        InvalidInput for a text that this version, or the holidays it has, cannot read.
        """
        return cls(_compiled.of(text) for text in texts)

    def closed_on(self, day: date) -> str | None:
        """Why the day is closed, such as `Sunday` or `Christmas Day`; None when it is open.

        A day of which hours are closed is open.
        """
        return next(filter(None, (each.closed_on(day) for each in self._calendars)), None)

    def closed_at(self, moment: datetime) -> str | None:
        """Why it is closed at that aware moment; each calendar goes by its own local date."""
        return next(filter(None, (each.closed_at(moment) for each in self._calendars)), None)

    def partly_closed_on(self, day: date) -> str | None:
        """What closes some hours of an open day."""
        return next(filter(None, (each.partly_closed_on(day) for each in self._calendars)), None)

    def next_open(self, day: date, limit_days: int = SEARCH_DAYS) -> date | None:
        """The first open day after `day`, at most `limit_days` later."""
        return self._search(day, _DAY, limit_days)

    def previous_open(self, day: date, limit_days: int = SEARCH_DAYS) -> date | None:
        """The last open day before `day`, at most `limit_days` earlier."""
        return self._search(day, -_DAY, limit_days)

    @property
    def known_until(self) -> date | None:
        """The last day that the data of all calendars covers; None when it never ends."""
        return min(filter(None, (each.known_until for each in self._calendars)), default=None)

    def _search(self, day: date, step: timedelta, limit: int) -> date | None:
        for _ in range(limit):
            try:
                day += step
            except OverflowError:
                return None
            if self.closed_on(day) is None:
                return day
        return None


def check_definition(definition: CalendarDefinition, today: date) -> None:
    """Refuse what cannot be known, and a calendar that would keep everything from happening."""
    zone_of(definition.timezone, "timezone")
    for n, source in enumerate(definition.holidays):
        check_source(f"holidays.{n}", source)
    if OpenTimes.of(definition).next_open(today - _DAY, HORIZON_DAYS) is None:
        raise InvalidInput(
            "weekdays", f"with holidays and exceptions no day is open in {HORIZON_DAYS} days"
        )
