"""The options that say which runs are meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from tickwright.model.run import Cause, RunStatus
from tickwright.model.timestamps import from_rfc3339

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.store.queries import RunQuery


@dataclass(frozen=True, slots=True)
class Filters:
    """Which runs: what is not said matches all."""

    schedule: Annotated[
        str | None,
        typer.Option("--schedule", help="Only of this key or id.", show_default=False),
    ] = None
    job: Annotated[
        str | None, typer.Option("--job", help="Only of this job.", show_default=False)
    ] = None
    status: Annotated[
        list[RunStatus] | None,
        typer.Option("--status", help="Only these; may be repeated.", show_default=False),
    ] = None
    cause: Annotated[
        Cause | None, typer.Option("--cause", help="Only of this cause.", show_default=False)
    ] = None
    queue: Annotated[
        str | None, typer.Option("--queue", help="Only of this queue.", show_default=False)
    ] = None
    worker: Annotated[
        UUID | None, typer.Option("--worker", help="Only of this worker.", show_default=False)
    ] = None
    replay_of: Annotated[
        UUID | None, typer.Option("--replay-of", help="Repeats of this run.", show_default=False)
    ] = None
    since: Annotated[
        str | None, typer.Option("--from", help="Due then or later.", show_default=False)
    ] = None
    until: Annotated[
        str | None, typer.Option("--to", help="Due before then.", show_default=False)
    ] = None

    async def query(self, session: Session) -> RunQuery:
        """The runs that are meant; NotFound when there is no such schedule."""
        from tickwright.store.queries import RunQuery

        of = None
        if self.schedule is not None:
            of = (await session.scheduler.get_schedule(session.scope, self.schedule)).id
        return RunQuery(
            schedule_id=of,
            job_key=self.job,
            statuses=self.status or (),
            cause=self.cause,
            queue=self.queue,
            worker_id=self.worker,
            replay_of=self.replay_of,
            since=None if self.since is None else from_rfc3339("from", self.since),
            until=None if self.until is None else from_rfc3339("to", self.until),
        )
