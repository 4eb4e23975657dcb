"""`tickwright runs show`."""

from __future__ import annotations

from tickwright.cli.command import command
from tickwright.cli.options import Json, Place
from tickwright.cli.runs.detail import RunId


@command
def show(run: RunId, place: Place, *, as_json: Json = False) -> None:
    """Show one run."""
    from tickwright.cli.runs.detail import show_after

    show_after(place, lambda s: s.scheduler.get_run(s.scope, run), as_json=as_json)
