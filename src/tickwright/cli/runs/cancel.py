"""`tickwright runs cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickwright.cli.command import command
from tickwright.cli.options import Json, Place
from tickwright.cli.runs.detail import RunId
from tickwright.model.errors import NotPossible

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.run import Run


@command
def cancel(run: RunId, place: Place, *, as_json: Json = False) -> None:
    """Cancel a queued run, or ask a running one to stop."""
    from tickwright.cli.runs.detail import show_after
    from tickwright.model.run import RunStatus
    from tickwright.model.states import OPEN_RUNS

    async def cancelled(session: Session) -> Run:
        found = await session.scheduler.cancel_run(session.scope, run)
        if found.status not in OPEN_RUNS and found.status is not RunStatus.CANCELLED:
            raise NotPossible(f"the run has {found.status} already")
        return found

    show_after(place, cancelled, as_json=as_json)
