"""`tickwright schedule cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickwright.cli.command import command
from tickwright.cli.options import Json, Named, Place, Reason
from tickwright.model.errors import NotFound

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.schedule import Schedule


@command
def cancel(named: Named, place: Place, *, reason: Reason = None, as_json: Json = False) -> None:
    """End a schedule for good and cancel its queued runs."""
    from tickwright.cli.schedule.detail import show_after

    async def cancelled(session: Session) -> Schedule:
        scheduler, scope = session.scheduler, session.scope
        # To people an unknown key is a mistake, while programs may cancel what is gone already.
        found = await scheduler.get_schedule(scope, named)
        after = await scheduler.cancel_schedule(scope, found.id, actor=session.actor, reason=reason)
        if after is None:
            raise NotFound(f"there is no schedule {named}")
        return after

    show_after(place, cancelled, as_json=as_json)
