"""`tickwright calendar delete`."""

from __future__ import annotations

import typer

from tickwright.cli.calendar.wishes import Key
from tickwright.cli.command import command
from tickwright.cli.options import Place


@command
def delete(key: Key, place: Place) -> None:
    """Delete a calendar."""
    from tickwright.cli.output import printable
    from tickwright.cli.session import in_session

    gone = in_session(place, lambda s: s.scheduler.delete_calendar(s.scope, key, actor=s.actor))
    typer.echo(f"Deleted {printable(gone.key)}.")
