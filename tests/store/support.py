"""What the store's tests share: schedules, plans and endings in few words, and rows to recount."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tickwright.model.calendar import Calendar, definition_from_json
from tickwright.model.change import Change
from tickwright.model.job import Job, Policy
from tickwright.model.plan import Decision, Due, Plan
from tickwright.model.report import Level, LogLine, Report
from tickwright.model.run import (
    Cause,
    Claimed,
    Ending,
    Items,
    Run,
    RunStatus,
)
from tickwright.model.schedule import Cursor, Overlap, Schedule, Stats
from tickwright.model.scope import SYSTEM, Scope, organization, tenant
from tickwright.model.worker import Worker, WorkerStatus
from tickwright.store.answers import Fired
from tickwright.store.base import CalendarEdit, Decide, Edit, JobEdit, NewRun, Offer, PlanDue, Store
from tickwright.store.database import new_id
from tickwright.store.queries import RunQuery

T = TypeVar("T")

NOW = datetime(2040, 1, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LEASE = 30 * SECOND

ACME = tenant("acme")
OTHER = tenant("other")
NORTH = organization("acme", "north")
SCOPES = (SYSTEM, ACME, NORTH, OTHER)


def schedule(key: str = "nightly", scope: Scope = ACME, **changes: Any) -> Schedule:
    """A schedule of the handler `work` that is due now."""
    given: dict[str, Any] = {
        "id": new_id(),
        "scope": scope,
        "key": key,
        "job_key": "report",
        "trigger": {"type": "interval", "every": "1m"},
        "target": {"type": "handler", "name": "work"},
        "payload": {"size": 3},
        "created_at": NOW,
        "updated_at": NOW,
        "overlap": Overlap.ALLOW,
        "cursor": Cursor(next_run_at=NOW, decided_through=NOW - MINUTE),
    }
    return Schedule(**(given | changes))


def change(of: Schedule | Job | Calendar, action: str = "create", at: datetime = NOW) -> Change:
    resource = type(of).__name__.lower()
    return Change(of.scope, at, action, resource, of.id, of.key, actor="ada")


async def create(store: Store, *schedules: Schedule) -> Schedule:
    """Write new schedules; the last of them."""
    for new in schedules:
        await store.schedules.write(new.scope, new.key, creating(new))
    return schedules[-1]


def creating(new: Schedule) -> Decide:
    """Creates `new`, unless there is one of its key."""

    def decide(current: Schedule | None) -> Edit | None:
        return Edit(new, change(new)) if current is None else None

    return decide


async def edit(store: Store, scope: Scope, key: str, action: str = "update", **to: Any) -> Schedule:
    """Change fields of a schedule, as the service would."""

    def decide(current: Schedule | None) -> Edit:
        assert current is not None
        changed = replace(current, version=current.version + 1, **to)
        return Edit(changed, change(changed, action), cancel_queued=action in ("cancel", "delete"))

    written = await store.schedules.write(scope, key, decide)
    assert written is not None
    return written


async def delete(store: Store, scope: Scope, key: str) -> Schedule:
    return await edit(store, scope, key, "delete", deleted_at=NOW, cursor=Cursor())


async def put_job(store: Store, key: str = "report", scope: Scope = ACME, **policy: Any) -> Job:
    return await write_job(store, Job(new_id(), scope, key, Policy(**policy)))


async def write_job(store: Store, job: Job) -> Job:
    """Set the policy of a job, defined before or not."""

    def decide(current: Job | None) -> JobEdit:
        after = job if current is None else replace(job, id=current.id, version=current.version + 1)
        return JobEdit(after, replace(change(after), version=after.version))

    written = await store.jobs.write(job.scope, job.key, decide)
    assert written is not None
    return written


async def put_calendar(
    store: Store, key: str = "office", scope: Scope = ACME, **said: Any
) -> Calendar:
    return await write_calendar(store, Calendar(new_id(), scope, key, definition_from_json(said)))


async def write_calendar(store: Store, calendar: Calendar) -> Calendar:
    """Set the definition of a calendar, there before or not."""

    def decide(current: Calendar | None) -> CalendarEdit:
        after = calendar
        if current is not None:
            after = replace(calendar, id=current.id, version=current.version + 1)
        return CalendarEdit(after, replace(change(after), version=after.version))

    written = await store.calendars.write(calendar.scope, calendar.key, decide)
    assert written is not None
    return written


def due(
    status: RunStatus = RunStatus.QUEUED,
    *,
    every: timedelta = MINUTE,
    reason: str | None = None,
    spent: bool = False,
) -> PlanDue:
    """A plan that decides the one due instant and steps on by `every`."""

    def plan(d: Due) -> Plan:
        fired = status is RunStatus.QUEUED
        return Plan(
            schedule_id=d.schedule_id,
            decisions=[Decision(d.next_run_at, status, reason)],
            next_run_at=None if spent else d.next_run_at + every,
            decided_through=d.next_run_at,
            fired_count=d.fired_count + fired,
            spent=spent,
        )

    return plan


async def fire(
    store: Store,
    now: datetime = NOW,
    plan: PlanDue | None = None,
    offer: Offer | None = None,
    limit: int = 500,
) -> Fired:
    return await store.firing.fire(now, limit, plan or due(), offer)


def worker(**changes: Any) -> Worker:
    """A worker that serves the queue `default` and the handler `work`, alive from now on."""
    given: dict[str, Any] = {
        "id": new_id(),
        "name": "w",
        "host": "here",
        "pid": 1,
        "version": "0",
        "queues": ("default",),
        "handlers": ("work",),
        "slots": 10,
        "status": WorkerStatus.ONLINE,
        "started_at": NOW,
        "heartbeat_at": NOW,
        "lease_until": NOW + LEASE,
    }
    return Worker(**(given | changes))


async def online(store: Store, **changes: Any) -> Offer:
    """Register a worker; the offer it makes."""
    made = worker(**changes)
    await store.workers.register(made)
    return Offer(made.id, made.queues, made.handlers, made.slots)


async def queue_up(
    store: Store, count: int = 1, *, scope: Scope = ACME, key: str = "nightly", **changes: Any
) -> Schedule:
    """A schedule with `count` ready runs, a second apart, the last of them a second ago."""
    wanted = schedule(key, scope, **changes)
    made = await create(store, replace(wanted, cursor=Cursor(NOW)))
    moments = [NOW - (count - number) * SECOND for number in range(count)]

    def plan(d: Due) -> Plan:
        if d.schedule_id != made.id:
            return Plan(d.schedule_id, [], d.next_run_at, None, d.fired_count)
        decisions = [Decision(moment, RunStatus.QUEUED) for moment in moments]
        return Plan(d.schedule_id, decisions, wanted.next_run_at, None, 0)

    await fire(store, NOW, plan)
    return wanted


async def add(store: Store, scope: Scope, key: str, now: datetime = NOW, **new: Any) -> Run:
    return await store.runs.add(scope, key, NewRun(Cause.MANUAL, **new), now=now)


async def runs_of(store: Store, scope: Scope = ACME, **query: Any) -> list[Run]:
    return (await store.runs.find(scope, RunQuery(limit=10_000, **query))).items


async def run_of(store: Store, claimed: Claimed) -> Run:
    run = await store.runs.get(claimed.scope, claimed.id)
    assert run is not None
    return run


async def read(store: Store, key: str = "nightly") -> Schedule:
    found = await store.schedules.get(ACME, key)
    assert found is not None
    return found


async def stats_of(store: Store, key: str = "nightly") -> Stats:
    return (await read(store, key)).stats


def begun(run: Claimed, at: datetime = NOW) -> Claimed:
    """As the executor leaves it when it enters the target."""
    run.started_at = at
    return run


def succeeded(run: Claimed, at: datetime = NOW, **changes: Any) -> Ending:
    return _ending(run, RunStatus.SUCCEEDED, at, "succeeded", **changes)


def failed(run: Claimed, at: datetime = NOW, **changes: Any) -> Ending:
    return _ending(run, RunStatus.FAILED, at, "failed", error="boom", **changes)


def dead(run: Claimed, at: datetime = NOW, **changes: Any) -> Ending:
    return _ending(run, RunStatus.DEAD, at, "failed", error="boom", **changes)


def cancelled(run: Claimed, at: datetime = NOW, **changes: Any) -> Ending:
    return _ending(run, RunStatus.CANCELLED, at, "cancelled", reason="cancelled", **changes)


def retried(run: Claimed, at: datetime = NOW, delay: timedelta = MINUTE) -> Ending:
    """The attempt failed; another follows after `delay`."""
    return Ending(
        run=run,
        status=RunStatus.QUEUED,
        finished_at=at,
        outcome="failed",
        run_at=at + delay,
        attempt=run.attempt + 1,
        lost_count=run.lost_count,
        error="boom",
    )


def lost(run: Claimed, at: datetime = NOW) -> Ending:
    """The worker vanished; the run is ready again, and only a begun attempt is used up."""
    return Ending(
        run=run,
        status=RunStatus.QUEUED,
        finished_at=at,
        outcome="lost",
        attempt=run.attempt + (run.started_at is not None),
        lost_count=run.lost_count + 1,
    )


def _ending(run: Claimed, status: RunStatus, at: datetime, outcome: str, **changes: Any) -> Ending:
    changes.setdefault("items", Items(3, 2, 1))
    return Ending(
        run=run,
        status=status,
        finished_at=at,
        outcome=outcome,
        attempt=run.attempt,
        lost_count=run.lost_count,
        **changes,
    )


def told(run: Claimed, *texts: str, **changes: Any) -> Report:
    """What an attempt reports: a line for each text, the first of them its first line."""
    first = run.lease_token * 1000
    lines = [
        LogLine(first + number, run.attempt, NOW, Level.INFO, text)
        for number, text in enumerate(texts)
    ]
    given: dict[str, Any] = {
        "run_id": run.id,
        "attempt": run.attempt,
        "lease_token": run.lease_token,
        "version": 1,
        "progress": None,
        "items": None,
        "dropped": 0,
        "lines": tuple(lines),
        "keep_from": None,
    }
    return Report(**(given | changes))


def ids(of: Iterable[Claimed | Run | Schedule]) -> set[UUID]:
    return {each.id for each in of}


async def together(*work: Awaitable[T]) -> list[T]:
    """What all of them answer; when one fails, it is told after the others have ended."""
    answers = await asyncio.gather(*work, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]


async def until_blocked(connection: AsyncConnection) -> None:
    """Wait until another connection waits for a lock; SQLite does not tell, and need not."""
    if connection.dialect.name != "postgresql":
        return
    waiting = sa.text(
        "SELECT EXISTS (SELECT FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    while not (await connection.execute(waiting)).scalar_one():
        await connection.execute(sa.text("SELECT pg_stat_clear_snapshot()"))


@asynccontextmanager
async def application(url: str) -> AsyncIterator[AsyncConnection]:
    """A connection of the embedding application's own, in a transaction it commits itself."""
    driver = "asyncpg" if "postgresql" in url else "aiosqlite"
    engine = create_async_engine(
        make_url(url).set(drivername=f"{make_url(url).get_backend_name()}+{driver}")
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()
