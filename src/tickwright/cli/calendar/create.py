"""`tickwright calendar create`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickwright.cli.calendar.wishes import Key, Wishes
from tickwright.cli.command import command
from tickwright.cli.options import Json, Place

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.calendar import Calendar


@command
def create(key: Key, wishes: Wishes, place: Place, *, as_json: Json = False) -> None:
    """Create a calendar: Monday to Friday unless something else is said."""
    from tickwright.cli.calendar.detail import show_after

    definition = wishes.changes()
    exceptions = [*definition.get("exceptions", []), *wishes.exceptions()]

    async def made(session: Session) -> Calendar:
        return await session.scheduler.create_calendar(
            session.scope, key, {**definition, "exceptions": exceptions}, actor=session.actor
        )

    show_after(place, made, as_json=as_json)
