"""`tickwright job delete`."""

from __future__ import annotations

import typer

from tickwright.cli.command import command
from tickwright.cli.job.wishes import Key
from tickwright.cli.options import Place


@command
def delete(key: Key, place: Place) -> None:
    """Forget a job's policy: its runs, queued ones too, follow the default."""
    from tickwright.cli.output import printable
    from tickwright.cli.session import in_session

    job = in_session(place, lambda s: s.scheduler.delete_job(s.scope, key, actor=s.actor))
    typer.echo(f"Deleted {printable(job.key)}.")
