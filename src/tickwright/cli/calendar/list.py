"""`tickwright calendar list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.command import command, note
from tickwright.cli.options import Json, Place
from tickwright.cli.wording import holidays_in_words, week_in_words

if TYPE_CHECKING:
    from tickwright.model.calendar import Calendar

_COLUMNS = ("KEY", "SCOPE", "TIMEZONE", "WEEK", "HOLIDAYS", "EXCEPTIONS")


@command
def list_calendars(
    place: Place,
    *,
    search: Annotated[
        str | None, typer.Option("--search", help="Text in the key.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List the calendars, own ones and the system's."""
    from tickwright.cli.output import console, print_json, print_table
    from tickwright.cli.session import in_session
    from tickwright.cli.shapes import calendar_json, pagination_json

    found = in_session(
        place, lambda s: s.scheduler.find_calendars(s.scope, limit=limit, search=search)
    )
    if as_json:
        data = [calendar_json(calendar) for calendar in found.items]
        print_json({"data": data, "pagination": pagination_json(found)})
        return
    print_table(console(), _COLUMNS, [_cells(each) for each in found.items], whole=("KEY",))
    if found.has_more:
        note(f"{len(found.items)} of {found.total} calendars; --limit shows more")


def _cells(calendar: Calendar) -> list[str]:
    definition = calendar.definition
    return [
        calendar.key,
        str(calendar.scope),
        definition.timezone,
        week_in_words(definition.weekdays),
        holidays_in_words(definition.holidays),
        str(len(definition.exceptions)),
    ]
