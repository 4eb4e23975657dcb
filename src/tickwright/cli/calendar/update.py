"""`tickwright calendar update`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.calendar.wishes import Key, Wishes
from tickwright.cli.command import command
from tickwright.cli.options import Json, Place

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.calendar import Calendar


@command
def update(
    key: Key,
    wishes: Wishes,
    place: Place,
    *,
    no_exceptions: Annotated[
        bool, typer.Option("--no-exceptions", help="Let the exceptions there are go first.")
    ] = False,
    version: Annotated[
        int | None,
        typer.Option("--version", help="Only if it is still at this version.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change parts of a calendar; exceptions are added to those there are."""
    from tickwright.cli.calendar.detail import show_after
    from tickwright.model.calendar import exception_to_json

    changes, added = wishes.changes(), wishes.exceptions()

    async def changed(session: Session) -> Calendar:
        seen = version
        if added or no_exceptions:
            calendar = await session.scheduler.get_calendar(session.scope, key)
            seen = calendar.version if version is None else version
            there = [exception_to_json(each) for each in calendar.definition.exceptions]
            kept = [] if no_exceptions else changes.get("exceptions", there)
            changes["exceptions"] = [*kept, *added]
        return await session.scheduler.update_calendar(
            session.scope, key, changes, version=seen, actor=session.actor
        )

    show_after(place, changed, as_json=as_json)
