"""The schedules that go by a calendar: who they are, and when they are due once it has changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from tickwright.model.calendar import Calendar, definition_to_json
from tickwright.model.event import SCHEDULE_MOVED, Event
from tickwright.model.json import dumps
from tickwright.model.schedule import Cursor, Schedule
from tickwright.model.scope import SYSTEM
from tickwright.model.timestamps import to_rfc3339
from tickwright.observe.base import Emitter
from tickwright.service import edits
from tickwright.service.edits import Who
from tickwright.store.base import Store

_AT_ONCE = 200


async def users_of(store: Store, calendar: Calendar) -> AsyncIterator[Schedule]:
    """Live schedules that name it, and for which no calendar of their own stands before it."""
    after = UUID(int=0)
    among = None if calendar.scope == SYSTEM else calendar.scope
    while page := await store.schedules.timed(after, _AT_ONCE, among):
        after = page[-1].id
        for schedule in page:
            if schedule.timing is None or calendar.key not in schedule.timing.calendars:
                continue
            found = await store.calendars.resolve(schedule.scope, [calendar.key])
            if found[calendar.key].id == calendar.id:
                yield schedule


async def rewake(store: Store, emitter: Emitter, calendar: Calendar, now: datetime) -> int:
    """Let each of its users be due when it says now; how many moved.

    Each in a transaction of its own, so that firing goes on; a process that dies on the way leaves
    the rest to be due when the calendar said before.
    """
    moved = 0
    async for schedule in users_of(store, calendar):
        assert schedule.timing is not None
        found = await store.calendars.resolve(schedule.scope, schedule.timing.calendars)
        texts = {key: dumps(definition_to_json(each.definition)) for key, each in found.items()}
        who = Who(now, calendars=texts)

        def decide(current: Schedule, who: Who = who) -> Cursor | None:
            return edits.rewoken(current, who)

        after = await store.schedules.move(schedule.scope, schedule.id, decide)
        if after is not None:
            moved += 1
            emitter.emit(_event(after, calendar, now))
    return moved


def _event(schedule: Schedule, calendar: Calendar, now: datetime) -> Event:
    upcoming = schedule.cursor.next_run_at
    data = {
        "scheduleId": str(schedule.id),
        "schedule": schedule.key,
        "calendar": calendar.key,
        "nextRunAt": upcoming and to_rfc3339(upcoming),
    }
    return Event(SCHEDULE_MOVED, now, schedule.scope, data)
