"""`tickwright runs show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickwright.cli.command import command
from tickwright.cli.options import Json, Place
from tickwright.cli.runs.detail import RunId
from tickwright.model.clock import SystemClock

if TYPE_CHECKING:
    from datetime import datetime

    from tickwright.cli.session import Session
    from tickwright.model.report import LogLine
    from tickwright.model.run import Attempt, Run

_LINES = 10


@command
def show(run: RunId, place: Place, *, as_json: Json = False) -> None:
    """Show one run, how far it is, and the last lines of its log."""
    from tickwright.cli.output import console, print_json, print_pairs
    from tickwright.cli.runs.detail import pairs
    from tickwright.cli.session import in_session
    from tickwright.cli.shapes import run_detail_json

    async def seen(session: Session) -> tuple[Run, list[Attempt], list[LogLine], datetime]:
        scheduler, scope = session.scheduler, session.scope
        found = await scheduler.get_run(scope, run)
        attempts = await scheduler.attempts(scope, run)
        page = await scheduler.run_logs(scope, run, limit=_LINES, newest=True)
        return found, attempts, page.lines, await SystemClock().now()

    found, attempts, lines, now = in_session(place, seen)
    if as_json:
        print_json(run_detail_json(found, attempts))
        return
    print_pairs(console(), list(pairs(found, now).items()))
    _print_last(lines)


def _print_last(lines: list[LogLine]) -> None:
    from tickwright.cli.output import print_lines
    from tickwright.cli.wording import line_in_words

    if lines:
        print_lines(["", *(line_in_words(line) for line in lines)])
