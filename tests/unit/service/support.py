"""What the service's unit tests share: declarations and schedules in few words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tickwright.model.schedule import Cursor, Schedule
from tickwright.model.scope import tenant
from tickwright.service import edits
from tickwright.service.edits import Declaration, Past, Who
from tickwright.service.options import Wishes, check_options
from tickwright.targets.handler import HandlerRegistry, HandlerTarget
from tickwright.triggers import Trigger
from tickwright.triggers.cron import cron
from tickwright.triggers.one_shot import at

NOW = datetime(2026, 3, 2, 9, 0, 0, 400_000, tzinfo=UTC)
WHOLE = NOW.replace(microsecond=0)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
DAY = timedelta(days=1)
LATER = NOW + 3 * HOUR
ACME = tenant("acme")
NIGHTLY = cron("0 2 * * *")

_target = HandlerTarget(HandlerRegistry())


def who(now: datetime = NOW, actor: str | None = "ada", reason: str | None = None) -> Who:
    return Who(now, actor, reason)


def wishes(**options: Any) -> Wishes:
    return check_options(options, _target.check)


def declared(
    trigger: Trigger = NIGHTLY,
    *,
    key: str = "nightly",
    job_key: str = "report",
    past: Past = "refuse",
    **options: Any,
) -> Declaration:
    return Declaration(ACME, key, job_key, trigger, wishes(**options), past)


def created(trigger: Trigger = NIGHTLY, now: datetime = NOW, **options: Any) -> Schedule:
    return edits.create(None, declared(trigger, **options), who(now)).schedule


def registered(
    current: Schedule | None, trigger: Trigger = NIGHTLY, now: datetime = LATER, **options: Any
) -> Schedule:
    """The schedule after registering again; the one before when that changed nothing."""
    edit = edits.register(current, declared(trigger, **options), who(now))
    if edit is None:
        assert current is not None
        return current
    return edit.schedule


def updated(
    current: Schedule, trigger: Trigger | None = None, now: datetime = LATER, **options: Any
) -> Schedule:
    return edits.update(current, current.key, wishes(**options), trigger, who(now)).schedule


def paused(current: Schedule, now: datetime = LATER, reason: str | None = None) -> Schedule:
    edit = edits.pause(current, current.key, who(now, reason=reason))
    assert edit is not None
    return edit.schedule


def resumed(current: Schedule, now: datetime = LATER) -> Schedule:
    edit = edits.resume(current, current.key, who(now))
    assert edit is not None
    return edit.schedule


def with_cursor(schedule: Schedule, **cursor: Any) -> Schedule:
    """As the engine left it: only the cursor moves when a schedule fires."""
    return replace(schedule, cursor=replace(schedule.cursor, **cursor))


def once(after: timedelta = HOUR, **options: Any) -> Schedule:
    return created(at(WHOLE + after), **options)


def ended(schedule: Schedule, status: str = "completed", fired_count: int = 1) -> Schedule:
    """As it is once its last run is over."""
    through = schedule.cursor.next_run_at
    cursor = Cursor(None, decided_through=through, fired_count=fired_count)
    return replace(schedule, status=type(schedule.status)(status), cursor=cursor)
