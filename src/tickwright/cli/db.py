"""`tickwright db`: the schema of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tickwright.cli.command import AWAY, REFUSED, command, new_group
from tickwright.cli.options import Json, Reach

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.service.status import Status

group = new_group("The schema of the database.")


@group.command()
@command
def upgrade(reach: Reach, *, as_json: Json = False) -> None:
    """Bring the schema to this version; does nothing when it is there already."""
    from tickwright.cli.session import in_session

    _show(in_session(reach, _upgraded, opened=False), as_json=as_json)


@group.command("status")
@command
def show_status(reach: Reach, *, as_json: Json = False) -> None:
    """Say whether the schema is current: exit code 0 when it is, 4 when not."""
    from tickwright.cli.session import in_session

    seen = in_session(reach, lambda session: session.scheduler.status(), opened=False)
    _show(seen, as_json=as_json)
    if seen.database != "ok":
        raise typer.Exit(AWAY if seen.database == "unavailable" else REFUSED)


async def _upgraded(session: Session) -> Status:
    await session.scheduler.migrate()
    return await session.scheduler.status()


def _show(seen: Status, *, as_json: bool) -> None:
    if as_json:
        from tickwright.cli.output import print_json

        known = None if seen.database == "unavailable" else seen.database == "ok"
        print_json({"database": seen.database, "dialect": seen.dialect, "schemaIsCurrent": known})
    elif seen.database == "ok":
        typer.echo(f"The schema is current ({seen.dialect}).")
    elif seen.database == "schema":
        typer.echo(f"The schema is not current ({seen.dialect}): run `tickwright db upgrade`.")
    else:
        typer.echo(f"The database cannot be reached ({seen.dialect}).")
