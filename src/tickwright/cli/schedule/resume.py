"""`tickwright schedule resume`."""

from __future__ import annotations

from tickwright.cli.command import command
from tickwright.cli.options import Json, Named, Place


@command
def resume(named: Named, place: Place, *, as_json: Json = False) -> None:
    """Fire again from now on; what the pause left out stays out."""
    from tickwright.cli.schedule.detail import show_after

    show_after(
        place,
        lambda s: s.scheduler.resume_schedule(s.scope, named, actor=s.actor),
        as_json=as_json,
    )
