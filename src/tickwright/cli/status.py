"""`tickwright status`: whether the database and the engines that work on it are well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from tickwright.cli.command import AWAY, REFUSED, command, first_line
from tickwright.cli.options import Json, Place

if TYPE_CHECKING:
    from tickwright.cli.session import Session

_IN_WORDS = {"ok": "ok", "schema": "its schema is not current", "unavailable": "out of reach"}


@command
def status(place: Place, *, as_json: Json = False) -> None:
    """Show strategy, database, totals of the scope, workers, leader and problems."""
    from tickwright.cli.output import print_json
    from tickwright.cli.session import in_session

    found = in_session(place, _look, opened=False)
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found["database"] != "ok":
        raise typer.Exit(AWAY if found["database"] == "unavailable" else REFUSED)


async def _look(session: Session) -> dict[str, Any]:
    from tickwright.cli.shapes import scope_json
    from tickwright.service.status import NOT_RUNNING
    from tickwright.store import parse_url

    settings = session.scheduler.settings
    seen = await session.scheduler.status()
    well = seen.database == "ok"
    return {
        "strategy": settings.queue_strategy,
        "database": seen.database,
        "dialect": seen.dialect,
        "databaseUrl": parse_url(settings.database_url).render_as_string(hide_password=True),
        "schemaIsCurrent": well,
        "pollIntervalMs": settings.poll_interval_ms,
        "schedules": seen.schedules,
        "scope": scope_json(session.scope),
        "totals": await _totals(session) if well else None,
        "workersOnline": seen.workers_online,
        "leader": str(seen.leader) if seen.leader else None,
        # This process never has an engine; the ones that have are among the workers.
        "problems": [first_line(each) for each in seen.problems if each != NOT_RUNNING],
    }


async def _totals(session: Session) -> dict[str, int]:
    from tickwright.model.clock import SystemClock
    from tickwright.model.schedule import ScheduleStatus
    from tickwright.store.queries import ScheduleQuery

    find = session.scheduler.find_schedules
    everything = await find(session.scope, ScheduleQuery(limit=1))
    active = await find(session.scope, ScheduleQuery(limit=1, status=ScheduleStatus.ACTIVE))
    now = await SystemClock().now()
    due = [at for at in (await session.scheduler.armed(session.scope)).values() if at <= now]
    return {"total": everything.total, "active": active.total, "dueNow": len(due)}


def _print(found: dict[str, Any]) -> None:
    from tickwright.cli.output import console, print_pairs

    totals = found["totals"] or {"total": "?", "active": "?", "dueNow": "?"}
    counted = f"{totals['total']} total, {totals['active']} active, {totals['dueNow']} due now"
    print_pairs(
        console(),
        [
            ("Strategy", found["strategy"]),
            ("Database", f"{found['databaseUrl']} ({_IN_WORDS[found['database']]})"),
            ("Poll interval", f"{found['pollIntervalMs']} ms"),
            ("Schedules", counted),
            ("In all scopes", str(found["schedules"])),
            ("Workers online", str(found["workersOnline"])),
            ("Leader", found["leader"] or "-"),
            ("Problems", "; ".join(found["problems"]) or "none"),
        ],
    )
