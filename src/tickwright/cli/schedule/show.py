"""`tickwright schedule show`."""

from __future__ import annotations

from tickwright.cli.command import command
from tickwright.cli.options import Json, Named, Place


@command
def show(named: Named, place: Place, *, as_json: Json = False) -> None:
    """Show one schedule."""
    from tickwright.cli.schedule.detail import show_after

    show_after(place, lambda s: s.scheduler.get_schedule(s.scope, named), as_json=as_json)
