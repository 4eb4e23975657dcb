"""`tickwright --version`."""

from __future__ import annotations

from typing import Annotated

import typer


def _print_version(asked: bool) -> None:
    if asked:
        from tickwright.bootstrap import package_version

        typer.echo(f"tickwright {package_version()}")
        raise typer.Exit


def show_version(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """A multi-tenant, database-backed job scheduler."""
