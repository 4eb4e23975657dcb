"""`tickwright list`: the schedules of one scope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.command import command, note
from tickwright.cli.options import Json, Place
from tickwright.cli.wording import moment_in_words, rule_in_words
from tickwright.model.clock import SystemClock
from tickwright.model.schedule import ScheduleStatus

if TYPE_CHECKING:
    from datetime import datetime

    from tickwright.cli.session import Session
    from tickwright.model.page import Page
    from tickwright.model.schedule import Health, Schedule
    from tickwright.store.queries import ScheduleQuery

_COLUMNS = ("KEY", "NAME", "JOB", "RULE", "NEXT RUN", "STATUS", "HEALTH")
_WHOLE = ("KEY", "JOB", "STATUS", "HEALTH")
_LEFT_OUT_WHEN_NARROW = ("NAME", "JOB")
_NARROW = 110


@command
def list_schedules(
    place: Place,
    *,
    status: Annotated[
        ScheduleStatus | None, typer.Option("--status", help="Only these.", show_default=False)
    ] = None,
    job: Annotated[
        str | None, typer.Option("--job", help="Only of this job.", show_default=False)
    ] = None,
    search: Annotated[
        str | None,
        typer.Option("--search", help="Text in key, name or description.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List schedules, the next to run first."""
    from tickwright.cli.session import in_session
    from tickwright.store.queries import ScheduleQuery

    query = ScheduleQuery(limit=limit, status=status, job_key=job, search=search, order="nextRunAt")
    found = in_session(place, lambda session: _find(session, query))
    if as_json:
        _print_json(found)
        return
    _print_table(found)
    if found.page.has_more:
        note(f"{len(found.page.items)} of {found.page.total} schedules; --limit shows more")


@dataclass(frozen=True, slots=True)
class _Found:
    page: Page[Schedule]
    health: list[Health]
    now: datetime


async def _find(session: Session, query: ScheduleQuery) -> _Found:
    page = await session.scheduler.find_schedules(session.scope, query)
    return _Found(page, await session.scheduler.health(*page.items), await SystemClock().now())


def _print_json(found: _Found) -> None:
    from tickwright.cli.output import print_json
    from tickwright.cli.shapes import pagination_json, schedule_json

    pairs = zip(found.page.items, found.health, strict=True)
    data = [schedule_json(schedule, health) for schedule, health in pairs]
    print_json({"data": data, "pagination": pagination_json(found.page)})


def _print_table(found: _Found) -> None:
    from tickwright.cli.output import console, print_table

    out = console()
    left_out = _LEFT_OUT_WHEN_NARROW if out.width < _NARROW else ()
    columns = [column for column in _COLUMNS if column not in left_out]
    pairs = zip(found.page.items, found.health, strict=True)
    rows = [_cells(schedule, health, found.now) for schedule, health in pairs]
    print_table(out, columns, [[row[column] for column in columns] for row in rows], whole=_WHOLE)


def _cells(schedule: Schedule, health: Health, now: datetime) -> dict[str, str]:
    return {
        "KEY": schedule.key,
        "NAME": schedule.name or "-",
        "JOB": schedule.job_key,
        "RULE": rule_in_words(schedule.trigger),
        "NEXT RUN": moment_in_words(schedule.next_run_at, now),
        "STATUS": schedule.status.value,
        "HEALTH": health.value,
    }
