"""`tickwright schedule update`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.command import command
from tickwright.cli.options import Json, Named, Place, Reason
from tickwright.cli.schedule.wishes import Details, Rule

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.schedule import Schedule


class Clearable(StrEnum):
    """What a schedule can do without."""

    NAME = "name"
    DESCRIPTION = "description"
    CATEGORY = "category"
    STARTS_AT = "starts-at"
    ENDS_AT = "ends-at"
    MAX_RUNS = "max-runs"


@command
def update(  # noqa: PLR0913 - every option is a parameter
    named: Named,
    rule: Rule,
    details: Details,
    place: Place,
    *,
    clear: Annotated[
        list[Clearable] | None,
        typer.Option("--clear", help="Take this away; may be repeated.", show_default=False),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option("--version", help="Only if it is still at this version.", show_default=False),
    ] = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Change parts of a schedule; what is not named stays as it is."""
    from tickwright.cli.schedule.detail import show_after

    trigger, options = rule.trigger(), details.options()
    options.update({word.replace("-", "_"): None for word in clear or ()})  # type: ignore[typeddict-item]

    async def changed(session: Session) -> Schedule:
        return await session.scheduler.update_schedule(
            session.scope,
            named,
            trigger=trigger,
            version=version,
            actor=session.actor,
            reason=reason,
            **options,
        )

    show_after(place, changed, as_json=as_json)
