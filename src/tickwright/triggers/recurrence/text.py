"""Recurrence sets as people and calendars write them: one text, or separate fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import quoted
from tickwright.triggers.recurrence.parts import RULE, moment_of
from tickwright.triggers.wallclock.zones import zone_of

START = "trigger.start"
TIMEZONE = "trigger.timezone"
RDATES = "trigger.rdates"
EXDATES = "trigger.exdates"

_MAX_TEXT = 20_000
_KNOWN = ("DTSTART", "RRULE", "RDATE", "EXDATE")


@dataclass(frozen=True, slots=True)
class Given:
    """A recurrence set as it was given: naive times follow the zone, aware ones are moments."""

    rule: str
    start: datetime | None = None
    timezone: str | None = None
    rdates: tuple[datetime, ...] = ()
    exdates: tuple[datetime, ...] = ()


def is_text(rule: str) -> bool:
    """Whether it is a text of several properties, or one that is named."""
    return "\n" in rule.strip() or rule.lstrip()[:7].upper().startswith(("DTSTART", "RRULE:"))


def read(given: Given) -> Given:
    """With everything in its field, the start on the clock of the zone, and a zone."""
    if len(given.rule) > _MAX_TEXT:
        raise InvalidInput(RULE, f"is longer than {_MAX_TEXT} characters")
    if is_text(given.rule):
        given = _merged(given, _properties(given.rule))
    given = replace(given, rule=given.rule.strip().rstrip(";").upper())
    start, timezone = given.start, given.timezone
    if start is None:
        raise InvalidInput(START, "is missing; a rule counts from its start")
    if start.utcoffset() is not None:
        if timezone is None and start.utcoffset():
            raise InvalidInput(TIMEZONE, "is missing; an offset alone names no clock to follow")
        start = _on_clock(start, zone_of(timezone or "UTC", TIMEZONE))
    return replace(given, start=start, timezone=timezone or "UTC")


def _on_clock(start: datetime, zone: ZoneInfo) -> datetime:
    try:
        local = start.astimezone(zone)
    except OverflowError:
        raise InvalidInput(START, "lies outside the years 1 to 9999") from None
    if local.fold:
        raise InvalidInput(START, "lies in the second pass of times that come twice")
    return local.replace(tzinfo=None)


def _merged(given: Given, text: Given) -> Given:
    """Both together; what is in both is refused, but for the same zone."""
    if given.start is not None and text.start is not None:
        raise InvalidInput(START, "is given twice: DTSTART is in the text")
    if given.timezone is not None and text.timezone not in (None, given.timezone):
        raise InvalidInput(TIMEZONE, f"differs from the {text.timezone} in the text")
    return Given(
        text.rule,
        given.start or text.start,
        given.timezone or text.timezone,
        given.rdates + text.rdates,
        given.exdates + text.exdates,
    )


def _properties(text: str) -> Given:
    unfolded = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "")
    found: dict[str, list[tuple[str | None, str]]] = {name: [] for name in _KNOWN}
    for line in filter(None, map(str.strip, unfolded.split("\n"))):
        head, colon, value = line.partition(":")
        name, *parameters = head.split(";")
        if not colon and "=" in line:
            name, parameters, value = "RRULE", [], line
        if name.upper() not in _KNOWN:
            raise InvalidInput(RULE, f"{quoted(line)} is none of {', '.join(_KNOWN)}")
        found[name.upper()].append((_zone_in(name, parameters), value))
    for name in ("DTSTART", "RRULE"):
        if len(found[name]) > 1:
            raise InvalidInput(RULE, f"{name} is given twice")
    if not found["RRULE"]:
        raise InvalidInput(RULE, "needs an RRULE")
    zone = found["DTSTART"][0][0] if found["DTSTART"] else None
    starts = _moments(found["DTSTART"], zone, "DTSTART")
    utc = bool(starts) and starts[0].tzinfo is not None
    return Given(
        found["RRULE"][0][1],
        starts[0].replace(tzinfo=None) if utc else (starts[0] if starts else None),
        "UTC" if utc else zone,
        _moments(found["RDATE"], zone, "RDATE"),
        _moments(found["EXDATE"], zone, "EXDATE"),
    )


def _zone_in(name: str, parameters: list[str]) -> str | None:
    zone = None
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if (key.upper(), value.upper()) == ("VALUE", "DATE-TIME"):
            continue
        if key.upper() != "TZID":
            raise InvalidInput(RULE, f"{name}: {quoted(parameter)} is not understood; give times")
        zone = value
        zone_of(zone, TIMEZONE)
    return zone


def _moments(
    values: list[tuple[str | None, str]], own: str | None, name: str
) -> tuple[datetime, ...]:
    """The times of a property; those on another clock than the start's become moments."""
    found = []
    for zone, value in values:
        for each in value.strip().split(","):
            moment = moment_of(each.upper(), RULE, name)
            if zone is not None and zone != own and moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone_of(zone, TIMEZONE)).astimezone(UTC)
            found.append(moment)
    return tuple(found)


def whole_seconds(moment: datetime, field: str) -> datetime:
    if not isinstance(moment, datetime):
        raise InvalidInput(field, "must be a datetime")
    if moment.microsecond:
        raise InvalidInput(field, "must be whole seconds")
    return moment if moment.utcoffset() is not None else moment.replace(tzinfo=None, fold=0)


def plain_text(moment: datetime) -> str:
    """A naive reading without offset, or a moment with its Z."""
    if moment.tzinfo is None:
        return moment.isoformat()
    return (moment - (moment.utcoffset() or timedelta())).replace(tzinfo=None).isoformat() + "Z"
