"""Firing what is due, and knowing when to look again.

Invariant: the clock is read once per tick, and a rule that cannot be evaluated stops only its
own schedule.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import lru_cache
from time import monotonic

from tickwright.engine import planning
from tickwright.engine.runner import Runner
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model import event as names
from tickwright.model.errors import InvalidInput
from tickwright.model.event import Event
from tickwright.model.json import loads
from tickwright.model.plan import Due, Plan
from tickwright.model.run import RunStatus
from tickwright.model.timestamps import to_rfc3339
from tickwright.model.timing import Timing
from tickwright.observe.base import Emitter
from tickwright.store.answers import Fired, Undone
from tickwright.store.base import Store
from tickwright.triggers import Trigger, trigger_from_json
from tickwright.triggers.calendars import OpenTimes

BATCH = 1000
FIRST_BATCH = 200
"""What one tick fires at most; more that is due is a herd, and the lanes fire it."""
LANES = 2
"""Batches under way at once in a herd: one is decided while the database writes the other."""
_LONGEST_LANE = 10
_BUSY_SECONDS = 0.05


@lru_cache(maxsize=50_000)
def _trigger(text: str) -> Trigger:
    return trigger_from_json(loads(text))


@lru_cache(maxsize=50_000)
def _step(trigger: Trigger, moment: datetime) -> datetime | None:
    """Schedules that share a rule share its next instant: a batch computes it once."""
    return trigger.next_after(moment)


class Planner:
    """Decides due schedules in batches; a loop calls `tick`."""

    def __init__(
        self,
        store: Store,
        runner: Runner | None,
        emitter: Emitter,
        time: Timekeeper,
        poll: timedelta,
    ) -> None:
        self._firing = store.firing
        self._queue = store.queue
        self._runner = runner
        self._emitter = emitter
        self._time = time
        self._poll = poll
        self._herd = False

    def herd(self) -> bool:
        """Whether more schedules are due than one batch takes."""
        return self._herd

    async def tick(self) -> timedelta:
        """Fire one batch, in a herd several; how long to sleep until there is something to do."""
        if self._herd:
            await self._fire_herd()
            return timedelta(0)
        now = await self._time.now()
        read_at = monotonic()
        fired = await self._fire(now, FIRST_BATCH)
        if self._herd:
            return timedelta(0)
        upcoming, lifted = await self._firing.next_due(), 0
        if upcoming is not None and upcoming <= now and (lifted := await self._lift(now)):
            upcoming = await self._firing.next_due()
        if upcoming is None:
            return self._poll
        delay = upcoming - now - timedelta(seconds=monotonic() - read_at)
        if delay <= timedelta(0) and not lifted and not fired.schedules:
            # Overdue, and yet nothing was ours to take: another process is deciding it.
            return timedelta(seconds=random.uniform(_BUSY_SECONDS / 2, _BUSY_SECONDS))
        return min(delay, self._poll)

    async def _lift(self, now: datetime) -> int:
        lifted = await self._queue.lift(now)
        if lifted and self._runner:
            self._runner.wake()
        return lifted

    async def _fire_herd(self) -> None:
        """Each lane goes on by itself, so that one is decided while the other is written."""
        ended = await asyncio.gather(*(self._lane() for _ in range(LANES)), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def _lane(self) -> None:
        try:
            for _ in range(_LONGEST_LANE):
                await self._fire(await self._time.now(), BATCH)
                if not self._herd:
                    return
        except BaseException:
            self._herd = False
            raise

    async def _fire(self, now: datetime, limit: int) -> Fired:
        offer = self._runner.offer(limit, herd=self._herd) if self._runner else None
        with self._runner.claiming(offer) if self._runner else nullcontext():
            fired = await self._firing.fire(now, limit, lambda due: plan_or_park(due, now), offer)
            # Said before the first run can end: endings wait while there is more that is due.
            self._herd = fired.schedules >= limit
            if self._runner:
                self._runner.accept(fired.claimed)
        if fired.queued and self._runner:
            self._runner.wake()
        self._tell(fired, now)
        return fired

    def _tell(self, fired: Fired, now: datetime) -> None:
        for undone in fired.undone:
            self._emitter.emit(undone_event(undone, now))
        for scope, schedule_id, error in fired.parked:
            data = {"scheduleId": str(schedule_id), "error": error}
            self._emitter.emit(Event(names.SCHEDULE_PARKED, now, scope, data))


def plan_or_park(due: Due, now: datetime, halted: str | None = None) -> Plan:
    """The plan of `due`, or one that parks it with the error its rule raised.

    With `halted` its occurrences are skipped for that reason, because somebody stops it.
    """
    try:
        trigger = _trigger(due.trigger)
        if due.timing is not None and due.timing.calendars:
            due.open_times = open_times(due.timing, due.calendars)
        if halted is not None:
            return planning.halt(due, trigger, now, halted, _step)
        return planning.plan(due, trigger, now, _step)
    except Exception as error:
        return planning.park(due, error)


def open_times(timing: Timing, texts: tuple[str, ...]) -> OpenTimes:
    """When these calendars are open; InvalidInput when some of them are gone."""
    if len(texts) != len(timing.calendars):
        raise InvalidInput("calendars", f"some of {', '.join(timing.calendars)} are gone")
    return OpenTimes.from_texts(texts)


def undone_event(undone: Undone, now: datetime) -> Event:
    """What is told of occurrences that came to nothing."""
    decision = undone.decision
    name = names.RUN_SKIPPED if decision.status is RunStatus.SKIPPED else names.RUN_MISSED
    data = {
        "scheduleId": str(undone.schedule_id),
        "schedule": undone.schedule_key,
        "reason": decision.reason,
        "nominalAt": to_rfc3339(decision.nominal_at),
        "throughAt": decision.through_at and to_rfc3339(decision.through_at),
        "count": decision.count,
    }
    return Event(name, now, undone.scope, data)
