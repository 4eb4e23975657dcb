"""`tickwright runs cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickwright.cli.command import command
from tickwright.cli.options import Json, Place
from tickwright.cli.runs.filters import Filters
from tickwright.cli.runs.many import AtMost, OneRun, Yes
from tickwright.model.errors import NotPossible

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.run import Run


@command
def cancel(
    filters: Filters,
    place: Place,
    *,
    run: OneRun = None,
    yes: Yes = False,
    limit: AtMost = 1000,
    as_json: Json = False,
) -> None:
    """Cancel a queued run, or ask a running one to stop; with filters, all that match."""
    from tickwright.cli.runs.detail import show_after
    from tickwright.cli.runs.many import means_many, show_many
    from tickwright.model.run import RunStatus
    from tickwright.model.states import OPEN_RUNS

    async def cancelled(session: Session) -> Run:
        assert run is not None
        found = await session.scheduler.cancel_run(session.scope, run)
        if found.status not in OPEN_RUNS and found.status is not RunStatus.CANCELLED:
            raise NotPossible(f"the run has {found.status} already")
        return found

    if not means_many(run, filters):
        show_after(place, cancelled, as_json=as_json)
        return
    show_many(
        place,
        filters,
        lambda s, query: s.scheduler.cancel_runs(s.scope, query, limit=limit, dry_run=not yes),
        yes=yes,
        as_json=as_json,
    )
