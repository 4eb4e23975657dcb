"""`tickwright runs logs`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from tickwright.cli.command import command, note
from tickwright.cli.options import Json, Place
from tickwright.cli.runs.detail import RunId

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.report import LogLine


@command
def logs(
    run: RunId,
    place: Place,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="All lines, and new ones until the run ends.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="The last so many.")] = 100,
    attempt: Annotated[
        int | None, typer.Option("--attempt", min=1, help="Only of this one.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a run said; with `--json` and `--follow` one JSON object a line."""
    from tickwright.cli.session import in_session

    wanted = _Wanted(run, limit, attempt, as_json)
    in_session(place, wanted.follow if follow else wanted.show)


@dataclass(frozen=True, slots=True)
class _Wanted:
    run: UUID
    limit: int
    attempt: int | None
    as_json: bool

    async def follow(self, session: Session) -> None:
        from tickwright.cli.output import print_lines

        async for update in session.scheduler.follow_run(session.scope, self.run):
            if update.line is not None and self.attempt in (None, update.line.attempt):
                print_lines([self._told(update.line)])

    async def show(self, session: Session) -> None:
        from tickwright.cli.output import print_json, print_lines
        from tickwright.cli.shapes import line_json

        page = await session.scheduler.run_logs(
            session.scope, self.run, limit=self.limit, attempt=self.attempt, newest=True
        )
        if self.as_json:
            last = page.lines[-1].seq if page.lines else 0
            lines = [line_json(line) for line in page.lines]
            print_json({"data": lines, "dropped": page.dropped, "next": last})
            return
        print_lines([self._told(line) for line in page.lines])
        if page.dropped:
            note(f"{page.dropped} older lines were let go of")

    def _told(self, line: LogLine) -> str:
        from tickwright.cli.shapes import line_json
        from tickwright.cli.wording import line_in_words

        if self.as_json:
            return json.dumps(line_json(line), ensure_ascii=False)
        return line_in_words(line)
