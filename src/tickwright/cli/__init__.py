"""The `tickwright` command: its members, each loaded only when the command line is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

MEMBERS = {
    "serve": "tickwright.cli.serve:serve",
    "start": "tickwright.cli.start:start",
    "worker": "tickwright.cli.worker:worker",
    "list": "tickwright.cli.list:list_schedules",
    "status": "tickwright.cli.status:status",
    "run": "tickwright.cli.run:run",
    "schedule": "tickwright.cli.schedule:group",
    "job": "tickwright.cli.job:group",
    "calendar": "tickwright.cli.calendar:group",
    "runs": "tickwright.cli.runs:group",
    "db": "tickwright.cli.db:group",
}


def main() -> None:
    """Run the command that the arguments name, and exit."""
    build()()


def build() -> typer.Typer:
    """The whole command line."""
    from tickwright.cli.command import add_members, new_group
    from tickwright.cli.version import show_version

    app = new_group("A multi-tenant, database-backed job scheduler.", name="tickwright")
    app.callback()(show_version)
    add_members(app, MEMBERS)
    return app
