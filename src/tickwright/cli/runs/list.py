"""`tickwright runs list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.command import command, note
from tickwright.cli.options import Json, Place
from tickwright.cli.wording import moment_in_words
from tickwright.model.clock import SystemClock
from tickwright.model.run import RunStatus

if TYPE_CHECKING:
    from datetime import datetime

    from tickwright.cli.session import Session
    from tickwright.model.page import Page
    from tickwright.model.run import Run

_COLUMNS = ("RUN", "SCHEDULE", "JOB", "DUE", "STATUS", "ATTEMPT", "ERROR")


@command
def list_runs(
    place: Place,
    *,
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", help="Only of this key or id.", show_default=False),
    ] = None,
    job: Annotated[
        str | None, typer.Option("--job", help="Only of this job.", show_default=False)
    ] = None,
    status: Annotated[
        list[RunStatus] | None,
        typer.Option("--status", help="Only these; may be repeated.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List runs, the newest first."""
    from tickwright.cli.output import console, print_json, print_table
    from tickwright.cli.session import in_session
    from tickwright.cli.shapes import pagination_json, run_json
    from tickwright.store.base import RunQuery

    async def found(session: Session) -> tuple[Page[Run], datetime]:
        of = None
        if schedule is not None:
            of = (await session.scheduler.get_schedule(session.scope, schedule)).id
        query = RunQuery(limit=limit, schedule_id=of, job_key=job, statuses=status or ())
        page = await session.scheduler.find_runs(session.scope, query)
        return page, await SystemClock().now()

    page, now = in_session(place, found)
    if as_json:
        data = [run_json(run) for run in page.items]
        print_json({"data": data, "pagination": pagination_json(page)})
        return
    print_table(console(), _COLUMNS, [_cells(run, now) for run in page.items], whole=("RUN",))
    if page.has_more:
        note(f"{len(page.items)} of {page.total} runs; --limit shows more")


def _cells(run: Run, now: datetime) -> list[str]:
    return [
        str(run.id),
        run.schedule_key or "-",
        run.job_key,
        moment_in_words(run.nominal_at, now),
        f"{run.status.value} ({run.reason})" if run.reason else run.status.value,
        str(run.attempt),
        (run.error or "").partition("\n")[0],
    ]
