"""`tickwright job show`."""

from __future__ import annotations

from tickwright.cli.command import command
from tickwright.cli.job.wishes import Key
from tickwright.cli.options import Json, Place


@command
def show(key: Key, place: Place, *, as_json: Json = False) -> None:
    """Show one job."""
    from tickwright.cli.job.detail import show_after

    show_after(place, lambda s: s.scheduler.get_job(s.scope, key), as_json=as_json)
