"""`tickwright schedule delete`."""

from __future__ import annotations

from tickwright.cli.command import command
from tickwright.cli.options import Json, Named, Place


@command
def delete(named: Named, place: Place, *, as_json: Json = False) -> None:
    """Delete a schedule and cancel its queued runs; its key is free again, its history stays."""
    from tickwright.cli.schedule.detail import show_after

    show_after(
        place,
        lambda s: s.scheduler.delete_schedule(s.scope, named, actor=s.actor),
        as_json=as_json,
    )
