"""`tickwright runs cancel`."""

from __future__ import annotations

from tickwright.cli.command import command
from tickwright.cli.options import Json, Place
from tickwright.cli.runs.detail import RunId


@command
def cancel(run: RunId, place: Place, *, as_json: Json = False) -> None:
    """Cancel a queued run, or ask a running one to stop."""
    from tickwright.cli.runs.detail import show_after

    show_after(place, lambda s: s.scheduler.cancel_run(s.scope, run), as_json=as_json)
