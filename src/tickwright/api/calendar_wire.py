"""Calendars on the wire."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from tickwright.api.wire import Answer, Body, Filters, Listed, Paging, ScopeAnswer, scope_answer
from tickwright.model.calendar import (
    MAX_CATEGORIES,
    MAX_CODE,
    MAX_DESCRIPTION,
    MAX_EXCEPTIONS,
    MAX_HOLIDAYS,
    MAX_ZONE,
    WEEK,
    WORKING_WEEK,
    Calendar,
    ExceptionKind,
    Weekday,
    definition_to_json,
)
from tickwright.service.calendars import CalendarDay, CalendarDays
from tickwright.service.options import MAX_KEY, MAX_NAME

Key = Annotated[str, Field(min_length=1, max_length=MAX_KEY)]
Code = Annotated[str, Field(min_length=1, max_length=MAX_CODE)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Local = Annotated[str, Field(max_length=19, examples=["2026-12-24", "2026-12-24T18:00"])]
# Texts on the wire become these words; strictness would ask for the Python objects.
Day = Annotated[Weekday, Field(strict=False)]
Kind = Annotated[ExceptionKind, Field(strict=False)]


class HolidaysBody(Body):
    """Public holidays of a country or a part of it."""

    country: Code = Field(description="ISO 3166-1.", examples=["DE"])
    subdivision: Code | None = Field(default=None, description="ISO 3166-2.", examples=["BY"])
    categories: list[Code] = Field(
        default=[], max_length=MAX_CATEGORIES, description="By default what is public."
    )
    language: Code | None = Field(default=None, description="Of the names; English if there are.")


class ExceptionBody(Body):
    """Days, or hours, that are not as the week and the holidays have them."""

    kind: Kind = Field(
        default=ExceptionKind.CLOSED,
        description="`open` wins over `closed`, and `freeze` over everything.",
    )
    from_: Local = Field(alias="from", description="A local date, or time.")
    to: Local = Field(
        default="", description="The last day, `from` by default; or the time when it is over."
    )
    name: Name | None = Field(default=None)


class _Definition(Body):
    """What creating and changing have in common; what is absent is left as it is."""

    name: Name | None = Field(default=None)
    description: Annotated[str, Field(min_length=1, max_length=MAX_DESCRIPTION)] | None = Field(
        default=None
    )
    timezone: Annotated[str, Field(min_length=1, max_length=MAX_ZONE)] = Field(
        default="UTC", description="IANA name; when created by default the installation's."
    )
    weekdays: Annotated[list[Day], Field(max_length=len(WEEK))] = Field(
        default=list(WORKING_WEEK), description="Which are open."
    )
    holidays: list[HolidaysBody] = Field(default=[], max_length=MAX_HOLIDAYS)
    exceptions: list[ExceptionBody] = Field(
        default=[], max_length=MAX_EXCEPTIONS, description="Given as a whole."
    )

    def given(self, *without: str) -> dict[str, Any]:
        """What the caller said, by wire name."""
        said = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {name: value for name, value in said.items() if name not in without}


class NewCalendar(_Definition):
    """A calendar to create."""

    key: Key


class CalendarPatch(_Definition):
    """What to change of a calendar; what is absent stays."""


class CalendarFilters(Paging):
    """Which calendars to list."""

    search: Annotated[str, Field(max_length=MAX_NAME)] | None = Field(
        default=None, description="A part of the key, in any case."
    )


class DayFilters(Filters):
    """Which days to tell about."""

    from_: date | None = Field(
        default=None,
        alias="from",
        description="The first; by default today in the calendar's zone.",
    )
    to: date | None = Field(
        default=None, description="The last, at most 400 days in all; by default 31 days."
    )


class ImportFilters(Filters):
    """What to make of the events."""

    kind: ExceptionKind = Field(default=ExceptionKind.CLOSED)
    replace: bool = Field(
        default=False, description="Whether the exceptions there are go, or stay beside the new."
    )


class HolidaysAnswer(Answer):
    """Public holidays of a country or a part of it."""

    country: str
    subdivision: str | None
    categories: list[str]
    language: str | None


class ExceptionAnswer(Answer):
    """Days, or hours, that are not as the week and the holidays have them."""

    kind: ExceptionKind
    from_: str = Field(alias="from")
    to: str
    name: str | None


class CalendarAnswer(Answer):
    """Which days are open; a calendar whose scope is the system is shared with every tenant."""

    id: UUID
    scope: ScopeAnswer
    key: str
    name: str | None
    description: str | None
    timezone: str
    weekdays: list[Weekday]
    holidays: list[HolidaysAnswer]
    exceptions: list[ExceptionAnswer]
    version: int


class CalendarList(Listed[CalendarAnswer]):
    """One page of calendars."""


class DayAnswer(Answer):
    """A day on the calendar's clock."""

    date: date
    open: bool
    reason: str | None = Field(description="Why it is closed.")
    partly: str | None = Field(description="What closes some hours of an open day.")


class DayList(Answer):
    """Days of a calendar, in order."""

    data: list[DayAnswer]
    known_until: date | None = Field(
        description="The last day that the data says something about; null when it never ends."
    )


def calendar_answer(calendar: Calendar) -> CalendarAnswer:
    return CalendarAnswer(
        id=calendar.id,
        scope=scope_answer(calendar.scope),
        key=calendar.key,
        version=calendar.version,
        **definition_to_json(calendar.definition),
    )


def day_list(told: CalendarDays) -> DayList:
    return DayList(data=[_day_answer(each) for each in told.days], known_until=told.known_until)


def _day_answer(told: CalendarDay) -> DayAnswer:
    return DayAnswer(
        date=told.day, open=told.closed is None, reason=told.closed, partly=told.partly
    )
