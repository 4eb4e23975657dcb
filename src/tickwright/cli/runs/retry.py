"""`tickwright runs retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.command import command
from tickwright.cli.json_option import json_object
from tickwright.cli.options import Json, Place
from tickwright.cli.runs.filters import Filters
from tickwright.cli.runs.many import AtMost, OneRun, Yes
from tickwright.model.errors import InvalidInput

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.run import Run
    from tickwright.service.bulk import Bulk
    from tickwright.store.queries import RunQuery


@command
def retry(  # noqa: PLR0913 - every option is a parameter
    filters: Filters,
    place: Place,
    *,
    run: OneRun = None,
    payload: Annotated[
        str | None,
        typer.Option(
            "--payload", help="A JSON object instead of its own, for one run.", show_default=False
        ),
    ] = None,
    request_id: Annotated[
        str | None,
        typer.Option("--request-id", help="Given again, repeats no run twice.", show_default=False),
    ] = None,
    yes: Yes = False,
    limit: AtMost = 1000,
    as_json: Json = False,
) -> None:
    """Do again what an ended run did: queue a new run that points at it; or all that match."""
    from tickwright.cli.runs.detail import show_after
    from tickwright.cli.runs.many import means_many, show_many

    given = None if payload is None else json_object("payload", payload)

    async def repeated(session: Session) -> Run:
        assert run is not None
        return await session.scheduler.retry_run(
            session.scope, run, payload=given, triggered_by=session.actor, request_key=request_id
        )

    async def all_repeated(session: Session, query: RunQuery) -> Bulk:
        return await session.scheduler.retry_runs(
            session.scope,
            query,
            limit=limit,
            dry_run=not yes,
            triggered_by=session.actor,
            request_key=request_id,
        )

    if not means_many(run, filters):
        show_after(place, repeated, as_json=as_json)
        return
    if given is not None:
        raise InvalidInput("payload", "goes with one run only")
    show_many(place, filters, all_repeated, yes=yes, as_json=as_json)
