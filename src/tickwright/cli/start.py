"""`tickwright start`: engine and worker, without HTTP."""

from __future__ import annotations

from tickwright.cli.command import command
from tickwright.cli.options import App, LogLevel, Reach, Slots


@command
def start(
    reach: Reach, *, app: App = None, slots: Slots = None, log_level: LogLevel = None
) -> None:
    """Plan and execute until SIGINT or SIGTERM; then let running work finish."""
    from tickwright.cli.process import stay_as_engine

    stay_as_engine(reach, app, slots=slots, log_level=log_level)
