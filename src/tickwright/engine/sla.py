"""Telling of runs that begin too late, wait too long, or take too long.

Invariant: a run that is late is told, by the sweep that found it waiting or by the process that
begins it. By both only where that process cannot know: of a sweep in the last few seconds, or
when the run was late from its beginning.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.event import RUN_LATE, RUN_SLOW, Event
from tickwright.model.run import Claimed
from tickwright.model.scope import Scope
from tickwright.observe.base import Emitter
from tickwright.store.base import Queue

BATCH = 10_000
_MILLISECOND = timedelta(milliseconds=1)


class Sla:
    """Watches `sla_start` and `sla_duration`; a loop calls `tick` on every node."""

    def __init__(self, queue: Queue, emitter: Emitter, time: Timekeeper, every: timedelta) -> None:
        self._queue = queue
        self._emitter = emitter
        self._time = time
        self._every = every
        self._looked = False
        self._through: datetime | None = None
        self._early: list[Claimed] = []

    async def tick(self) -> timedelta:
        """Tell of those who became late since the last sweep, whoever made it."""
        now = await self._time.now()
        found = await self._queue.overdue(now, BATCH)
        self._looked, self._through = True, found.through or self._through
        for run in found.runs:
            data = _facts(run.id, run.schedule_id, run.schedule_key)
            self._tell_late(run.scope, data | {"waiting": True}, now, now - run.run_at)
        early, self._early = self._early, []
        for begun in early:
            self.begun(begun)
        behind = found.through is not None and found.through < now
        return timedelta(0) if behind else self._every

    def begun(self, run: Claimed) -> None:
        """The first attempt of `run` begins: tell if that is late, unless a sweep has done so."""
        if not self._looked:
            self._early.append(run)
            return
        allowed, began = run.policy.sla_start, run.started_at
        if allowed is None or began is None or run.attempt > 1 or began - run.run_at <= allowed:
            return
        if not self._was_told(run, run.run_at + allowed):
            data = _facts(run.id, run.schedule_id, run.schedule_key)
            self._tell_late(run.scope, data | {"waiting": False}, began, began - run.run_at)

    def slow(self, run: Claimed) -> None:
        """An attempt is still running although its time is over."""
        allowed = run.policy.sla_duration
        if allowed is None or run.started_at is None or not self._emitter.wanted(RUN_SLOW):
            return
        data = _facts(run.id, run.schedule_id, run.schedule_key)
        data |= {"attempt": run.attempt, "slaMs": allowed // _MILLISECOND}
        self._emitter.emit(Event(RUN_SLOW, self._time.stamp(), run.scope, data))

    def _was_told(self, run: Claimed, late_at: datetime) -> bool:
        """Whether a sweep came by while it waited and was late.

        One that was made too late may have come after it (ids are UUIDv7 and tell when), and one
        that was lost before it began was in a worker's hands.
        """
        if self._through is None or run.claimed_at is None or run.lost_count:
            return False
        made_in_time = run.id.int >> 80 < late_at.timestamp() * 1000
        return made_in_time and late_at < self._through <= run.claimed_at

    def _tell_late(
        self, scope: Scope, data: dict[str, object], at: datetime, late: timedelta
    ) -> None:
        if self._emitter.wanted(RUN_LATE):
            self._emitter.emit(Event(RUN_LATE, at, scope, data | {"lateMs": late // _MILLISECOND}))


def _facts(run_id: UUID, schedule_id: UUID | None, key: str | None) -> dict[str, object]:
    return {
        "runId": str(run_id),
        "scheduleId": None if schedule_id is None else str(schedule_id),
        "schedule": key,
    }
