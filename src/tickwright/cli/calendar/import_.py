"""`tickwright calendar import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.calendar.wishes import Key, bytes_of
from tickwright.cli.command import command
from tickwright.cli.options import Json, Place
from tickwright.model.calendar import ExceptionKind

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.calendar import Calendar


@command
def import_(
    key: Key,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An .ics file, or - for stdin.")],
    place: Place,
    *,
    kind: Annotated[
        ExceptionKind, typer.Option("--kind", help="What the events make of their days.")
    ] = ExceptionKind.CLOSED,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let the exceptions there are go.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add the events of an iCalendar file to the exceptions of a calendar."""
    from tickwright.cli.calendar.detail import show_after

    ics = bytes_of(file)

    async def imported(session: Session) -> Calendar:
        return await session.scheduler.import_calendar(
            session.scope, key, ics, kind=kind, replace_all=replace, actor=session.actor
        )

    show_after(place, imported, as_json=as_json)
