"""`tickwright runs retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.command import command
from tickwright.cli.json_option import json_object
from tickwright.cli.options import Json, Place
from tickwright.cli.runs.detail import RunId

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.run import Run


@command
def retry(
    run: RunId,
    place: Place,
    *,
    payload: Annotated[
        str | None,
        typer.Option("--payload", help="A JSON object instead of its own.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Do again what an ended run did: queue a new run that points at it."""
    from tickwright.cli.runs.detail import show_after

    given = None if payload is None else json_object("payload", payload)

    async def repeated(session: Session) -> Run:
        return await session.scheduler.retry_run(
            session.scope, run, payload=given, triggered_by=session.actor
        )

    show_after(place, repeated, as_json=as_json)
