"""`tickwright job update`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.command import command
from tickwright.cli.job.wishes import Key, Wishes
from tickwright.cli.options import Json, Place

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.job import Job


@command
def update(
    key: Key,
    wishes: Wishes,
    place: Place,
    *,
    version: Annotated[
        int | None,
        typer.Option("--version", help="Only if it is still at this version.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change parts of a job's policy; what is not named stays, a backoff is named as a whole."""
    from tickwright.cli.job.detail import show_after

    async def changed(session: Session) -> Job:
        return await session.scheduler.update_job(
            session.scope, key, wishes.changes(), version=version, actor=session.actor
        )

    show_after(place, changed, as_json=as_json)
