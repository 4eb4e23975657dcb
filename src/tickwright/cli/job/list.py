"""`tickwright job list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.command import command, note
from tickwright.cli.options import Json, Place
from tickwright.cli.wording import backoff_in_words

if TYPE_CHECKING:
    from tickwright.model.job import Job

_COLUMNS = ("KEY", "QUEUE", "PRIORITY", "ATTEMPTS", "BACKOFF", "TIMEOUT")


@command
def list_jobs(
    place: Place,
    *,
    search: Annotated[
        str | None, typer.Option("--search", help="Text in the key.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List the defined jobs; all others have the default policy."""
    from tickwright.cli.output import console, print_json, print_table
    from tickwright.cli.session import in_session
    from tickwright.cli.shapes import job_json, pagination_json

    found = in_session(place, lambda s: s.scheduler.find_jobs(s.scope, limit=limit, search=search))
    if as_json:
        data = [job_json(job) for job in found.items]
        print_json({"data": data, "pagination": pagination_json(found)})
        return
    print_table(console(), _COLUMNS, [_cells(job) for job in found.items], whole=("KEY",))
    if found.has_more:
        note(f"{len(found.items)} of {found.total} jobs; --limit shows more")


def _cells(job: Job) -> list[str]:
    from tickwright.model.durations import duration_text

    policy = job.policy
    return [
        job.key,
        policy.queue,
        str(policy.priority),
        str(policy.max_attempts),
        backoff_in_words(policy.backoff),
        duration_text(policy.timeout),
    ]
