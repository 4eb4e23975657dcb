"""`tickwright calendar days`."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.calendar.wishes import Key
from tickwright.cli.command import command, note
from tickwright.cli.options import Json, Place

if TYPE_CHECKING:
    from tickwright.service.calendars import CalendarDay

_COLUMNS = ("DATE", "DAY", "OPEN", "WHY")


@command
def days(
    key: Key,
    place: Place,
    *,
    first: Annotated[
        str | None, typer.Option("--from", help="First day; today there.", show_default=False)
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day; 31 days in all.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell of each day whether it is open, or why not."""
    from tickwright.cli.output import console, print_json, print_table
    from tickwright.cli.session import in_session
    from tickwright.cli.shapes import days_json

    begin, end = _day("from", first), _day("to", last)
    told = in_session(place, lambda s: s.scheduler.calendar_days(s.scope, key, begin, end))
    if as_json:
        print_json(days_json(told))
    else:
        print_table(console(), _COLUMNS, [_cells(each) for each in told.days], whole=("DATE",))
    if told.known_until is not None and told.days[-1].day > told.known_until:
        note(f"what is known of this calendar ends on {told.known_until}")


def _day(field: str, text: str | None) -> date | None:
    from tickwright.model.calendar import local_from_text
    from tickwright.model.errors import InvalidInput

    if text is None:
        return None
    day = local_from_text(field, text)
    if isinstance(day, datetime):
        raise InvalidInput(field, "must be a date such as 2026-12-24")
    return day


def _cells(told: CalendarDay) -> list[str]:
    is_open = "no" if told.closed else "partly" if told.partly else "yes"
    return [told.day.isoformat(), f"{told.day:%a}", is_open, told.closed or told.partly or ""]
