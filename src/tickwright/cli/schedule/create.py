"""`tickwright schedule create`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.command import command
from tickwright.cli.options import Json, Place
from tickwright.cli.schedule.wishes import KINDS, Details, Rule
from tickwright.model.errors import InvalidInput

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.schedule import Schedule


@command
def create(  # noqa: PLR0913 - every option is a parameter
    job: Annotated[str, typer.Argument(metavar="JOB", help="Which kind of work.")],
    rule: Rule,
    details: Details,
    place: Place,
    *,
    key: Annotated[
        str | None,
        typer.Option("--key", help="Its name for lookups; else made up.", show_default=False),
    ] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Create it paused.")] = False,
    run_past: Annotated[
        bool, typer.Option("--run-past", help="Run an --at that is past at once.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create a schedule that runs JOB when its rule says."""
    from tickwright.cli.schedule.detail import show_after

    trigger, options = rule.trigger(), details.options()
    if trigger is None:
        raise InvalidInput("trigger", f"needs one of {KINDS}")
    if paused:
        options["enabled"] = False

    async def made(session: Session) -> Schedule:
        return await session.scheduler.create_schedule(
            session.scope,
            job,
            trigger,
            key=key,
            past="run_now" if run_past else "refuse",
            actor=session.actor,
            **options,
        )

    show_after(place, made, as_json=as_json)
