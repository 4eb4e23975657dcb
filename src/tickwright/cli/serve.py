"""`tickwright serve`: REST API, engine and worker in one process."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tickwright.cli.command import command
from tickwright.cli.options import App, LogLevel, Reach, Slots
from tickwright.model.errors import TickwrightError

if TYPE_CHECKING:
    import socket

    from tickwright.config import Settings
    from tickwright.service.scheduler import Scheduler

Serve = Callable[["Scheduler", "Settings", "socket.socket"], Coroutine[Any, Any, None]]


@command
def serve(  # noqa: PLR0913 - every option is a parameter
    reach: Reach,
    *,
    app: App = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", help="Port to listen on; 0 takes a free one.", show_default=False),
    ] = None,
    insecure: Annotated[
        bool | None,
        typer.Option(
            "--insecure",
            help="Listen beyond this machine although nobody is asked who they are.",
            show_default=False,
        ),
    ] = None,
    slots: Slots = None,
    log_level: LogLevel = None,
) -> None:
    """Serve the REST API, plan and execute, until SIGINT or SIGTERM."""
    from tickwright.bootstrap import make_settings
    from tickwright.cli import logs
    from tickwright.cli.listening import listening_socket
    from tickwright.cli.loading import scheduler_for
    from tickwright.cli.process import stay, warn_of_ignored

    asked = make_settings(host=host, port=port, insecure=insecure, log_level=log_level)
    logs.configure(asked.log_level)
    with listening_socket(asked.host, asked.port, insecure=asked.insecure) as sock:
        serve_until_told = _server()
        scheduler, settings = scheduler_for(app, database_url=reach.database_url, slots=slots)
        warn_of_ignored()
        stay(serve_until_told(scheduler, settings, sock), settings.watchdog)


def _server() -> Serve:
    try:
        from tickwright.cli.serving import serve_until_told
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "uvicorn"):
            raise
        raise TickwrightError(
            f"serve needs {error.name}: pip install 'tickwright[server]'"
        ) from error
    return serve_until_told
