"""What a calendar says: a working week, public holidays and dated exceptions, as plain values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tickwright.model.errors import InvalidInput
from tickwright.model.json import JsonObject
from tickwright.model.scope import Scope

Read = Callable[[str, Any], Any]

MAX_EXCEPTIONS = 5000
MAX_HOLIDAYS = 20
MAX_CATEGORIES = 10
MAX_CODE = 64
MAX_ZONE = 64
MAX_NAME = 255
MAX_DESCRIPTION = 2000
FIRST_YEAR, LAST_YEAR = 1900, 2199
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(_DAY.pattern + r"[Tt]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")


class Weekday(StrEnum):
    """The days of the week in the order of ISO 8601."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


WEEK = tuple(Weekday)
WORKING_WEEK = WEEK[:5]


class ExceptionKind(StrEnum):
    """What a dated exception does: `open` wins over `closed`, and `freeze` over everything."""

    CLOSED = "closed"
    OPEN = "open"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True)
class HolidaySource:
    """The public holidays of a country (ISO 3166-1) or one of its subdivisions (ISO 3166-2).

    Without `categories` those that are holidays for everyone; names are in `language`, else in
    English where there are English ones.
    """

    country: str
    subdivision: str | None = None
    categories: tuple[str, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True)
class CalendarException:
    """Days or hours that are not as the week and the holidays have them.

    `starts` and `ends` are both dates, the first and the last day, or both naive readings of the
    calendar's own clock, from the first up to but without the second. Only whole days can be
    opened.
    """

    kind: ExceptionKind
    starts: date
    ends: date
    name: str | None = None

    @property
    def is_timed(self) -> bool:
        return isinstance(self.starts, datetime)

    def __post_init__(self) -> None:
        if isinstance(self.ends, datetime) != self.is_timed:
            raise InvalidInput("to", "must be a date if `from` is one, and a time if it is a time")
        for field_name, moment in (("from", self.starts), ("to", self.ends)):
            if not FIRST_YEAR <= moment.year <= LAST_YEAR:
                raise InvalidInput(field_name, f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
        if self.ends < self.starts or (self.is_timed and self.ends == self.starts):
            raise InvalidInput("to", "must lie after `from`")
        if self.is_timed and self.kind is ExceptionKind.OPEN:
            raise InvalidInput("from", "must be a date: only whole days can be opened")


@dataclass(frozen=True, slots=True)
class CalendarDefinition:
    """What decides whether a day is open: the week, against it holidays, against both exceptions.

    Days are those of `timezone`, an IANA name.
    """

    timezone: str = "UTC"
    weekdays: tuple[Weekday, ...] = WORKING_WEEK
    holidays: tuple[HolidaySource, ...] = ()
    exceptions: tuple[CalendarException, ...] = ()
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """A definition under a key; the system's are shared with every tenant."""

    id: UUID
    scope: Scope
    key: str
    definition: CalendarDefinition
    version: int = 1

    def configuration(self) -> dict[str, Any]:
        """What an audited change compares: configuration only, as JSON."""
        return {"key": self.key, **definition_to_json(self.definition)}


def definition_to_json(definition: CalendarDefinition) -> dict[str, Any]:
    """The form in which calendars are stored and sent; days and times are local texts."""
    return {
        "name": definition.name,
        "description": definition.description,
        "timezone": definition.timezone,
        "weekdays": [day.value for day in definition.weekdays],
        "holidays": [
            {
                "country": source.country,
                "subdivision": source.subdivision,
                "categories": list(source.categories),
                "language": source.language,
            }
            for source in definition.holidays
        ],
        "exceptions": [exception_to_json(each) for each in definition.exceptions],
    }


def exception_to_json(exception: CalendarException) -> dict[str, Any]:
    return {
        "kind": exception.kind.value,
        "from": local_text(exception.starts),
        "to": local_text(exception.ends),
        "name": exception.name,
    }


def local_text(day: date) -> str:
    """`2026-12-24`, or `2026-12-24T18:00` for a reading of the clock."""
    if not isinstance(day, datetime):
        return day.isoformat()
    return day.isoformat(timespec="seconds" if day.second else "minutes")


def definition_from_json(
    data: JsonObject, base: CalendarDefinition | None = None
) -> CalendarDefinition:
    """`base` with what `data` says instead; each list that is given is given as a whole."""
    return replace(base or CalendarDefinition(), **_fields(data, _DEFINITION, ""))


def exception_from_json(field: str, data: object) -> CalendarException:
    """One exception; `to` may be left out for a single day."""
    given = {"kind": ExceptionKind.CLOSED, **_fields(data, _EXCEPTION, f"{field}.")}
    if "starts" not in given:
        raise InvalidInput(f"{field}.from", "is missing")
    if "ends" not in given:
        if isinstance(given["starts"], datetime):
            raise InvalidInput(f"{field}.to", "is missing: a time needs an end")
        given["ends"] = given["starts"]
    try:
        return CalendarException(**given)
    except InvalidInput as error:
        raise InvalidInput(f"{field}.{error.field}", error.reason) from None


def local_from_text(field: str, value: object) -> date:
    """The date, or the naive reading of a clock, that `value` names; no offset is taken."""
    text = value if isinstance(value, str) else ""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise InvalidInput(field, f"{text!r} is not a date: {error}") from None
    raise InvalidInput(
        field, "must be a local date such as 2026-12-24, or time such as 2026-12-24T18:00"
    )


def _fields(data: object, fields: Mapping[str, tuple[str, Read]], path: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise InvalidInput(path.rstrip(".") or "body", "must be a JSON object")
    for name in data:
        if name not in fields:
            raise InvalidInput(f"{path}{str(name)[:MAX_CODE]}", f"is none of {', '.join(fields)}")
    return {
        attribute: read(f"{path}{name}", data[name])
        for name, (attribute, read) in fields.items()
        if name in data
    }


def _text(limit: int) -> Read:
    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= limit:
            raise InvalidInput(name, f"must be a text of 1 to {limit} characters")
        if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise InvalidInput(name, "holds characters that cannot be stored")
        return value

    return read


def _or_none(read: Read) -> Read:
    return lambda name, value: None if value is None else read(name, value)


def _each(read: Read, most: int) -> Read:
    def read_all(name: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise InvalidInput(name, "must be a list")
        if len(value) > most:
            raise InvalidInput(name, f"has {len(value):,} entries; at most {most:,} are allowed")
        return tuple(read(f"{name}.{n}", each) for n, each in enumerate(value))

    return read_all


def _week(name: str, value: Any) -> tuple[Weekday, ...]:
    days = set(_each(_word(Weekday), len(WEEK))(name, value))
    return tuple(day for day in WEEK if day in days)


def _word(kind: type[StrEnum]) -> Read:
    def read(name: str, value: Any) -> StrEnum:
        try:
            return kind(value)
        except ValueError:
            raise InvalidInput(name, f"must be one of {', '.join(kind)}") from None

    return read


def _holidays(name: str, value: Any) -> HolidaySource:
    given = _fields(value, _SOURCE, f"{name}.")
    if "country" not in given:
        raise InvalidInput(f"{name}.country", "is missing")
    return HolidaySource(**given)


_SOURCE: Mapping[str, tuple[str, Read]] = {
    "country": ("country", _text(MAX_CODE)),
    "subdivision": ("subdivision", _or_none(_text(MAX_CODE))),
    "categories": ("categories", _each(_text(MAX_CODE), MAX_CATEGORIES)),
    "language": ("language", _or_none(_text(MAX_CODE))),
}
_EXCEPTION: Mapping[str, tuple[str, Read]] = {
    "kind": ("kind", _word(ExceptionKind)),
    "from": ("starts", local_from_text),
    "to": ("ends", local_from_text),
    "name": ("name", _or_none(_text(MAX_NAME))),
}
_DEFINITION: Mapping[str, tuple[str, Read]] = {
    "name": ("name", _or_none(_text(MAX_NAME))),
    "description": ("description", _or_none(_text(MAX_DESCRIPTION))),
    "timezone": ("timezone", _text(MAX_ZONE)),
    "weekdays": ("weekdays", _week),
    "holidays": ("holidays", _each(_holidays, MAX_HOLIDAYS)),
    "exceptions": ("exceptions", _each(exception_from_json, MAX_EXCEPTIONS)),
}
