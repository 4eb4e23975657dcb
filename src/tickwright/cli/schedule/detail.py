"""One schedule, shown; and changed, then shown."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

from tickwright.cli.wording import moment_in_words, rule_in_words
from tickwright.model.clock import SystemClock
from tickwright.model.durations import duration_text

if TYPE_CHECKING:
    from datetime import datetime

    from tickwright.cli.options import Place
    from tickwright.cli.session import Session
    from tickwright.model.schedule import Health, Schedule
    from tickwright.model.timing import Timing

Work = Callable[["Session"], Awaitable["Schedule"]]


def show_after(place: Place, work: Work, *, as_json: bool) -> None:
    """Print the schedule that `work` answers with."""
    from tickwright.cli.output import console, print_json, print_pairs, printable
    from tickwright.cli.session import in_session
    from tickwright.cli.shapes import schedule_json

    async def seen(session: Session) -> tuple[Schedule, Health, datetime]:
        schedule = await work(session)
        (health,) = await session.scheduler.health(schedule)
        return schedule, health, await SystemClock().now()

    schedule, health, now = in_session(place, seen)
    if as_json:
        print_json(schedule_json(schedule, health))
    elif schedule.deleted_at is not None:
        typer.echo(f"Deleted {printable(schedule.key)}.")
    else:
        print_pairs(console(), _pairs(schedule, health, now))


def _pairs(schedule: Schedule, health: Health, now: datetime) -> list[tuple[str, str]]:
    reason = f" ({schedule.status_reason})" if schedule.status_reason else ""
    stats = schedule.stats
    counted = f"{stats.run_count} ended, {stats.failure_count} failed"
    pairs = [
        ("Key", schedule.key),
        ("Id", str(schedule.id)),
        ("Scope", str(schedule.scope)),
        ("Job", schedule.job_key),
        ("Rule", rule_in_words(schedule.trigger)),
        *_timing(schedule.timing),
        ("Target", _compact(schedule.target)),
        ("Payload", _compact(schedule.payload)),
        ("Status", f"{schedule.status.value}{reason}"),
        ("Health", schedule.cursor.parked or health.value),
        ("Next run", moment_in_words(schedule.next_run_at, now)),
        ("Last run", moment_in_words(stats.last_run_at, now)),
        ("Runs", counted),
        ("Version", str(schedule.version)),
    ]
    if not schedule.allow_manual:
        pairs.append(("By hand", "not allowed"))
    texts = (("Name", schedule.name), ("Description", schedule.description))
    return pairs + [(name, text) for name, text in texts if text]


def _timing(timing: Timing | None) -> list[tuple[str, str]]:
    """What stands between the rule and what is due; most schedules have none of it."""
    if timing is None:
        return []
    on_closed, outside = timing.on_closed.replace("_", " "), timing.outside_window.value
    pairs = (
        ("Calendars", timing.calendars and f"{', '.join(timing.calendars)} (closed: {on_closed})"),
        ("Window", timing.window and f"{timing.window} (outside: {outside})"),
        ("Jitter", timing.jitter and f"up to {duration_text(timing.jitter)}"),
    )
    return [(label, str(text)) for label, text in pairs if text]


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
