"""Nobody sees or touches what belongs to another scope, through any user-facing method."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from tickwright.model.calendar import Calendar, CalendarDefinition
from tickwright.model.errors import NotFound, NotPossible
from tickwright.model.job import Job, Policy
from tickwright.model.run import Cause, Claimed
from tickwright.model.schedule import Schedule
from tickwright.model.scope import SYSTEM, Scope, organization
from tickwright.store.base import NewRun, Store, Work
from tickwright.store.bulk import GONE
from tickwright.store.database import new_id
from tickwright.store.queries import LogQuery, RunQuery, ScheduleQuery

from .support import (
    ACME,
    NORTH,
    NOW,
    OTHER,
    add,
    begun,
    create,
    creating,
    online,
    put_calendar,
    put_job,
    retried,
    runs_of,
    schedule,
    succeeded,
    told,
    write_calendar,
    write_job,
)
from .test_contracts import USER_FACING, WITHOUT_SCOPE, methods

Ask = Callable[[Store, Scope, Schedule, Claimed], Awaitable[Any]]


async def _write_by_id(store: Store, scope: Scope, theirs: Schedule, run: Claimed) -> Any:
    return await store.schedules.write(scope, theirs.id, lambda current: None)


async def _put_job(store: Store, scope: Scope, theirs: Schedule, run: Claimed) -> Any:
    """Writing a job of the same key makes one's own."""
    job = Job(new_id(), scope, "report", Policy(priority=9))
    stored = await write_job(store, job)
    return None if (stored.id, stored.version) == (job.id, 1) else stored


async def _put_calendar(store: Store, scope: Scope, theirs: Schedule, run: Claimed) -> Any:
    """Writing a calendar of the same key makes one's own."""
    calendar = Calendar(new_id(), scope, "office", CalendarDefinition(timezone="Asia/Tokyo"))
    stored = await write_calendar(store, calendar)
    return None if (stored.id, stored.version) == (calendar.id, 1) else stored


async def _add_run(store: Store, scope: Scope, theirs: Schedule, run: Claimed) -> Any:
    try:
        return await store.runs.add(scope, theirs.id, NewRun(Cause.MANUAL), now=NOW)
    except NotFound:
        return None


async def _replay_run(store: Store, scope: Scope, theirs: Schedule, run: Claimed) -> Any:
    try:
        return await store.runs.replay(scope, run.id, NewRun(Cause.REPLAY), now=NOW)
    except NotPossible as found:
        return found


async def _cancel_all(store: Store, scope: Scope, theirs: Schedule, run: Claimed) -> Any:
    refused = await store.runs.cancel_all(scope, [run.id], now=NOW)
    return None if refused == {run.id: GONE} else await store.runs.get(ACME, run.id)


async def _replay_all(store: Store, scope: Scope, theirs: Schedule, run: Claimed) -> Any:
    new = NewRun(Cause.REPLAY)
    refused = await store.runs.replay_all(scope, [run.id], new, now=NOW)
    return None if refused == {run.id: GONE} else await store.runs.get(ACME, run.id)


async def _start_run(store: Store, scope: Scope, theirs: Schedule, run: Claimed) -> Any:
    """Starting a job of the same key is one's own run."""
    work = Work(run.job_key, run.target)
    made = await store.runs.start(scope, work, NewRun(Cause.MANUAL), now=NOW)
    return None if made.scope == scope else made


async def _lines(store: Store, scope: Scope, theirs: Schedule, run: Claimed) -> Any:
    page = await store.reports.lines(scope, run.id, LogQuery())
    return page.lines or page.dropped


ASKS: dict[str, list[Ask]] = {
    "Schedules.write": [_write_by_id],
    "Schedules.get": [
        lambda store, scope, theirs, run: store.schedules.get(scope, theirs.id),
        lambda store, scope, theirs, run: store.schedules.get(scope, theirs.key),
    ],
    "Schedules.find": [
        lambda store, scope, theirs, run: _items(store.schedules.find(scope, ScheduleQuery()))
    ],
    "Schedules.armed": [lambda store, scope, theirs, run: store.schedules.armed(scope)],
    "Schedules.days": [
        lambda store, scope, theirs, run: store.schedules.days(scope, theirs.id, date.min)
    ],
    "Jobs.get": [lambda store, scope, theirs, run: store.jobs.get(scope, "report")],
    "Jobs.find": [lambda store, scope, theirs, run: _items(store.jobs.find(scope, 10, 0))],
    "Schedules.move": [
        lambda store, scope, theirs, run: store.schedules.move(scope, theirs.id, lambda s: s.cursor)
    ],
    "Calendars.get": [lambda store, scope, theirs, run: store.calendars.get(scope, "office")],
    "Calendars.resolve": [
        lambda store, scope, theirs, run: store.calendars.resolve(scope, ["office"])
    ],
    "Calendars.find": [
        lambda store, scope, theirs, run: _items(store.calendars.find(scope, 10, 0))
    ],
    "Runs.add": [_add_run],
    "Runs.replay": [_replay_run],
    "Runs.get": [lambda store, scope, theirs, run: store.runs.get(scope, run.id)],
    "Runs.find": [
        lambda store, scope, theirs, run: _items(store.runs.find(scope, RunQuery())),
        lambda store, scope, theirs, run: _items(
            store.runs.find(scope, RunQuery(schedule_id=theirs.id))
        ),
        lambda store, scope, theirs, run: _items(
            store.runs.find(scope, RunQuery(worker_id=run.worker_id))
        ),
    ],
    "Runs.matching": [
        lambda store, scope, theirs, run: store.runs.matching(scope, RunQuery(), 10),
        lambda store, scope, theirs, run: store.runs.matching(
            scope, RunQuery(schedule_id=theirs.id), 10
        ),
    ],
    "Runs.attempts": [lambda store, scope, theirs, run: store.runs.attempts(scope, run.id)],
    "Runs.cancel": [lambda store, scope, theirs, run: store.runs.cancel(scope, run.id, now=NOW)],
    "Runs.cancel_all": [_cancel_all],
    "Runs.replay_all": [_replay_all],
    "Reports.lines": [_lines],
    "Changes.find": [
        lambda store, scope, theirs, run: _items(store.changes.find(scope, 10, 0)),
        lambda store, scope, theirs, run: _items(store.changes.find(scope, 10, 0, theirs.id)),
    ],
    # The last ones, for they leave something of the asker's own behind.
    "Jobs.write": [_put_job],
    "Runs.start": [_start_run],
    "Calendars.write": [_put_calendar],
}


async def _items(page: Awaitable[Any]) -> Any:
    found = await page
    assert found.total == len(found.items)
    return found.items


def test_every_user_facing_method_is_asked() -> None:
    assert set(ASKS) == {name for name, _ in methods(USER_FACING)} - WITHOUT_SCOPE


async def test_no_method_reaches_into_another_scope(store: Store) -> None:
    """A tenant's organizations are not its own, nor is it theirs, nor the system everybody's."""
    owner = ACME
    offer = await online(store)
    await put_job(store)
    await put_calendar(store)
    theirs = await create(store, schedule(scope=owner))
    await add(store, owner, theirs.key)
    await add(store, owner, theirs.key)
    run, ended = await store.queue.claim(offer, NOW)
    await store.reporting.save([told(run, "said")])
    await store.queue.finish([retried(begun(run)), succeeded(begun(ended))])
    before = await store.schedules.get(owner, theirs.id), await runs_of(store, owner)
    # The system comes last, for the calendar that it then has is shared with everybody.
    for scope in (OTHER, NORTH, organization("acme", "acme"), SYSTEM):
        for name, asks in ASKS.items():
            for ask in asks:
                answer = await ask(store, scope, theirs, run)
                assert not answer, (name, scope, inspect.getsource(ask))
    after = await store.schedules.get(owner, theirs.id), await runs_of(store, owner)
    assert before == after
    for name, asks in ASKS.items():
        if name not in ("Jobs.write", "Runs.start", "Calendars.write"):
            assert await asks[0](store, owner, theirs, run), name


async def test_writing_a_key_of_another_scope_makes_ones_own(store: Store) -> None:
    theirs = await create(store, schedule(scope=ACME))
    ours = schedule(scope=NORTH)
    await store.schedules.write(NORTH, theirs.key, creating(ours))
    assert await store.schedules.get(NORTH, theirs.key) == ours
    assert await store.schedules.get(ACME, theirs.key) == theirs
