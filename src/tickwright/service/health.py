"""A schedule's health, derived when it is read. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from tickwright.model.schedule import (
    CIRCUIT,
    MISFIRE_THRESHOLD,
    Health,
    Schedule,
    ScheduleStatus,
)


def health_of(schedule: Schedule, served: Collection[str], now: datetime) -> Health:
    """The worst that is known: a broken rule, an open circuit, a missing handler, lateness, …"""
    if schedule.cursor.parked is not None:
        return Health.SPEC_ERROR
    if schedule.status is ScheduleStatus.PAUSED and schedule.status_reason == CIRCUIT:
        return Health.CIRCUIT_OPEN
    if schedule.handler is not None and schedule.handler not in served:
        return Health.NO_HANDLER
    due = schedule.next_run_at
    if due is not None and now - due > MISFIRE_THRESHOLD:
        return Health.LATE
    return Health.FAILING if schedule.stats.failure_streak else Health.OK
