"""`tickwright runs list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.command import command, note
from tickwright.cli.options import Json, Place
from tickwright.cli.runs.filters import Filters
from tickwright.cli.wording import moment_in_words
from tickwright.model.clock import SystemClock

if TYPE_CHECKING:
    from datetime import datetime

    from tickwright.cli.session import Session
    from tickwright.model.page import Page
    from tickwright.model.run import Run

_COLUMNS = ("RUN", "SCHEDULE", "JOB", "DUE", "STATUS", "ATTEMPT", "ERROR")


@command
def list_runs(
    filters: Filters,
    place: Place,
    *,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            help="createdAt, nominalAt, runAt or finishedAt; with - the other way round.",
            show_default=False,
        ),
    ] = None,
    cursor: Annotated[
        str | None,
        typer.Option("--cursor", help="Go on where a list ended.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List runs, the newest first."""
    from dataclasses import replace

    from tickwright.cli.output import console, print_json, print_table
    from tickwright.cli.session import in_session
    from tickwright.cli.shapes import run_list_json

    async def found(session: Session) -> tuple[Page[Run], datetime]:
        query = replace(await filters.query(session), limit=limit, order=sort, cursor=cursor)
        page = await session.scheduler.find_runs(session.scope, query)
        return page, await SystemClock().now()

    page, now = in_session(place, found)
    if as_json:
        print_json(run_list_json(page))
        return
    print_table(console(), _COLUMNS, [_cells(run, now) for run in page.items], whole=("RUN",))
    if page.next_cursor is not None:
        of = "" if cursor else f" of {page.total}{'' if page.exact else ' or more'}"
        note(f"{len(page.items)}{of} runs; the next: --cursor {page.next_cursor}")


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
