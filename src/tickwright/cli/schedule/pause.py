"""`tickwright schedule pause`."""

from __future__ import annotations

from tickwright.cli.command import command
from tickwright.cli.options import Json, Named, Place, Reason


@command
def pause(named: Named, place: Place, *, reason: Reason = None, as_json: Json = False) -> None:
    """Let nothing new fire until it is resumed; what is under way goes on."""
    from tickwright.cli.schedule.detail import show_after

    show_after(
        place,
        lambda s: s.scheduler.pause_schedule(s.scope, named, actor=s.actor, reason=reason),
        as_json=as_json,
    )
