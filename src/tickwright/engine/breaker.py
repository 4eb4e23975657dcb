"""Pausing schedules whose runs fail one after the other.

Invariant: the failure that was one too many left its mark in the transaction that wrote it, so
the schedule is paused by whichever process comes by first, even if the one that failed is gone.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from tickwright.engine.owed import Owed
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.change import Change
from tickwright.model.event import SCHEDULE_DISABLED, Event
from tickwright.model.schedule import CIRCUIT, Schedule, ScheduleStatus
from tickwright.model.scope import Scope
from tickwright.observe.base import Emitter
from tickwright.store.base import Edit, Schedules

BATCH = 100


class Breaker:
    """Looks for marked schedules every so often; a loop calls `tick`, and wakes it on failures."""

    def __init__(
        self, schedules: Schedules, emitter: Emitter, time: Timekeeper, every: timedelta
    ) -> None:
        self._schedules = schedules
        self._emitter = emitter
        self._time = time
        self._every = every

    async def tick(self) -> timedelta:
        tripped = await self._schedules.tripped(BATCH)
        for scope, schedule_id in tripped:
            await self._pause(scope, schedule_id, await self._time.now())
        return self._every if len(tripped) < BATCH else timedelta(0)

    async def _pause(self, scope: Scope, schedule_id: UUID, now: datetime) -> None:
        edit: Edit | None = None

        def decided(current: Schedule | None) -> Edit | None:
            nonlocal edit
            edit = _paused(current, now)
            return edit

        owed = Owed("pause", now)
        paused = await self._schedules.write(scope, schedule_id, decided, settle=owed.settle)
        if paused is None or edit is None:
            return
        for event in owed.events(paused):
            self._emitter.emit(event)
        data = {"scheduleId": str(schedule_id), "schedule": paused.key, "reason": CIRCUIT}
        self._emitter.emit(Event(SCHEDULE_DISABLED, now, scope, data))


def _paused(current: Schedule | None, now: datetime) -> Edit | None:
    """Nothing, when somebody has changed its status since it was marked."""
    if current is None or current.status is not ScheduleStatus.ACTIVE:
        return None
    if current.stats.tripped_at is None:
        return None
    after = replace(
        current,
        status=ScheduleStatus.PAUSED,
        status_reason=CIRCUIT,
        override={**current.override, "status": {"enabled": False}},
        cursor=replace(current.cursor, next_run_at=None),
        version=current.version + 1,
        updated_at=now,
    )
    change = Change(
        scope=after.scope,
        at=now,
        action="pause",
        resource="schedule",
        resource_id=after.id,
        resource_key=after.key,
        reason=CIRCUIT,
        before=current.configuration(),
        after=after.configuration(),
        version=after.version,
    )
    return Edit(after, change)
