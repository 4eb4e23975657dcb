"""The options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from tickwright.model.errors import InvalidInput
from tickwright.model.scope import Scope

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Named = Annotated[str, typer.Argument(metavar="KEY_OR_ID", help="Which schedule.")]
Reason = Annotated[
    str | None, typer.Option("--reason", help="Why, for the audit trail.", show_default=False)
]
App = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="MODULE:NAME",
        help="Use this Scheduler, with its handlers; without it only HTTP targets are served.",
        show_default=False,
    ),
]
LogLevel = Annotated[
    str | None,
    typer.Option("--log-level", help="debug, info, warning or error.", show_default=False),
]
Slots = Annotated[
    int | None, typer.Option("--slots", help="Runs that execute at once.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Reach:
    """Which database, and how much is said when something goes wrong."""

    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            help="sqlite:///file or postgresql://user@host/name; else TICKWRIGHT_DATABASE_URL.",
            show_default=False,
        ),
    ] = None
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False


@dataclass(frozen=True, slots=True)
class Place(Reach):
    """Which database, and whose schedules in it: the default tenant's unless something is said."""

    tenant: Annotated[
        str | None, typer.Option("--tenant", help="This tenant's schedules.", show_default=False)
    ] = None
    organization: Annotated[
        str | None,
        typer.Option("--organization", help="This organization's schedules.", show_default=False),
    ] = None
    system: Annotated[bool, typer.Option("--system", help="The system's own schedules.")] = False

    def scope(self, default_tenant: str) -> Scope:
        if not self.system:
            tenant = default_tenant if self.tenant is None else self.tenant
            return Scope(tenant, self.organization)
        if self.tenant is not None or self.organization is not None:
            raise InvalidInput("system", "does not go with --tenant or --organization")
        return Scope()
