"""Which runs became late while they waited, told once without writing to any of them.

Invariant: a run that waits is in the one sweep whose stretch of time holds the moment at which it
became late; stretches follow each other without gap or overlap, because each begins where the row
of the sweep before it says, under that row's lock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.scope import Scope
from tickwright.store.answers import Overdue, Waiting
from tickwright.store.database import Database
from tickwright.store.schema import Tables
from tickwright.store.statements import inserting

_NAME = "late"
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = timedelta(microseconds=1)
_PRIORITIES = tuple(range(1, 10))


async def overdue(database: Database, now: datetime, limit: int) -> Overdue:
    """The runs that became late before `now` since the last sweep, the first to do so first."""
    t = database.tables
    async with database.read() as c:
        allowed = await _allowances(c, t)
    if not allowed:
        return Overdue()
    async with database.write() as c:
        since = await _taken_up(c, t)
        if since is None or since >= now:
            return Overdue(since)
        found = [each for sla in allowed for each in await _late(c, t, sla, (since, now), limit)]
        through, runs = _cut(sorted(found, key=lambda run: run.late_at), now, limit)
        moved = sa.update(t.sweeps).where(t.sweeps.c.name == _NAME)
        await c.execute(moved.values(through=through))
    return Overdue(through, runs)


async def _allowances(c: AsyncConnection, t: Tables) -> list[timedelta]:
    """How late jobs allow their runs to start, each once."""
    given = sa.select(t.jobs.c.sla_start_ms).distinct()
    found = await c.execute(given.where(sa.text("sla_start_ms IS NOT NULL")))
    return [timedelta(milliseconds=each) for each in found.scalars()]


async def _taken_up(c: AsyncConnection, t: Tables) -> datetime | None:
    """Through when others have swept; none while another does."""
    first = inserting(c, t.sweeps).values(name=_NAME, through=_EVER)
    await c.execute(first.on_conflict_do_nothing(index_elements=["name"]))
    mine = sa.select(t.sweeps.c.through).where(t.sweeps.c.name == _NAME)
    since: datetime | None = (
        await c.execute(mine.with_for_update(skip_locked=True))
    ).scalar_one_or_none()
    return since


async def _late(
    c: AsyncConnection,
    t: Tables,
    allowed: timedelta,
    stretch: tuple[datetime, datetime],
    limit: int,
) -> list[Waiting]:
    since, until = stretch
    r, s, j = t.runs, t.schedules, t.jobs
    due = sa.and_(r.c.run_at >= since - allowed, r.c.run_at < until - allowed, r.c.attempt == 1)
    queued = r.c.status == sa.literal_column("'queued'")
    # The claim index leads from a tenant by priority to the time.
    ready = sa.and_(queued, r.c.gate.is_(None), r.c.priority.in_(_PRIORITIES))
    in_line = sa.and_(queued, r.c.gate == sa.literal_column("'overlap'"))
    for_room = sa.and_(queued, r.c.gate == sa.literal_column("'limit'"))
    own = sa.and_(r.c.scope_key == j.c.scope_key, r.c.job_key == j.c.key)
    told = sa.select(r.c.id, r.c.scope_key, r.c.schedule_id, s.c.key, r.c.run_at)
    told = told.select_from(j.join(r, own).outerjoin(s, s.c.id == r.c.schedule_id))
    mine = told.where(j.c.sla_start_ms == allowed // timedelta(milliseconds=1), due)
    found: list[Waiting] = []
    for waiting in (ready, in_line, for_room):
        rows = await c.execute(mine.where(waiting).order_by(r.c.run_at).limit(limit + 1))
        found += [_waiting(row, allowed) for row in rows]
    return found


def _waiting(row: Any, allowed: timedelta) -> Waiting:
    return Waiting(
        id=row.id,
        scope=Scope.from_key(row.scope_key),
        schedule_id=row.schedule_id,
        schedule_key=row.key,
        run_at=row.run_at,
        late_at=row.run_at + allowed,
    )


def _cut(runs: list[Waiting], until: datetime, limit: int) -> tuple[datetime, list[Waiting]]:
    """How far a sweep that tells `limit` runs gets, never between runs of one moment."""
    if len(runs) <= limit:
        return until, runs
    first_left_out = runs[limit].late_at
    told = [run for run in runs if run.late_at < first_left_out]
    if told:
        return first_left_out, told
    return first_left_out + _MOMENT, [run for run in runs if run.late_at == first_left_out]
