"""`tickwright worker`: a process that executes runs."""

from __future__ import annotations

from typing import Annotated

import typer

from tickwright.cli.command import command
from tickwright.cli.options import App, LogLevel, Reach, Slots


@command
def worker(
    reach: Reach,
    *,
    app: App = None,
    queues: Annotated[
        str | None,
        typer.Option("--queues", help="Take runs of these, as a,b.", show_default=False),
    ] = None,
    slots: Slots = None,
    log_level: LogLevel = None,
) -> None:
    """Execute runs until SIGINT or SIGTERM; with the strategy `local` it plans them too."""
    from tickwright.cli.process import stay_as_engine

    stay_as_engine(reach, app, queues=queues, slots=slots, log_level=log_level)
