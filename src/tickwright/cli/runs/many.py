"""Doing something to all runs that the options mean, once it is confirmed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from tickwright.cli.command import REFUSED, complain, note
from tickwright.cli.runs.filters import Filters
from tickwright.model.errors import InvalidInput

if TYPE_CHECKING:
    from tickwright.cli.options import Place
    from tickwright.cli.session import Session
    from tickwright.service.bulk import Bulk
    from tickwright.store.queries import RunQuery

OneRun = Annotated[
    UUID | None,
    typer.Argument(metavar="[RUN]", help="The run's id; or filters.", show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it to all that match; else only count.")]
AtMost = Annotated[
    int, typer.Option("--limit", min=1, max=10_000, help="At most so many, the oldest first.")
]
Work = Callable[["Session", "RunQuery"], Awaitable["Bulk"]]


def means_many(run: UUID | None, filters: Filters) -> bool:
    """Whether filters say which runs are meant; InvalidInput when nothing does, or both."""
    many = filters != Filters()
    if many is (run is not None):
        raise InvalidInput("run", "takes either one run's id or filters such as --status")
    return many


def show_many(place: Place, filters: Filters, work: Work, *, yes: bool, as_json: bool) -> None:
    """Print how many `work` was done to; exit code 4 when it was refused for some."""
    from tickwright.cli.output import print_json
    from tickwright.cli.session import in_session

    async def done(session: Session) -> Bulk:
        return await work(session, await filters.query(session))

    bulk = in_session(place, done)
    if as_json:
        print_json(_json(bulk))
    else:
        typer.echo(f"{bulk.matched} matched, {bulk.done} done")
        for refusal in bulk.refused:
            complain(f"{refusal.run_id}: {refusal.reason}")
    if not yes:
        note("nothing was done; --yes does it")
    elif bulk.done < bulk.matched:
        raise typer.Exit(REFUSED)


def _json(bulk: Bulk) -> dict[str, Any]:
    refused = [{"id": str(each.run_id), "reason": each.reason} for each in bulk.refused]
    return {"matched": bulk.matched, "done": bulk.done, "refused": refused}
