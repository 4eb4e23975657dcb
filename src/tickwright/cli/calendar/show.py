"""`tickwright calendar show`."""

from __future__ import annotations

from tickwright.cli.calendar.wishes import Key
from tickwright.cli.command import command
from tickwright.cli.options import Json, Place


@command
def show(key: Key, place: Place, *, as_json: Json = False) -> None:
    """Show one calendar, one's own or else the system's."""
    from tickwright.cli.calendar.detail import show_after

    show_after(place, lambda s: s.scheduler.get_calendar(s.scope, key), as_json=as_json)
