"""Deleting ended runs in small steps: by age along the primary key, by count from schedule to
schedule.

Invariant: a step reads a bounded stretch through an index, whatever was kept in it. No open run
goes, no occurrence above its schedule's `decided_through`, and of a live schedule never the newest
failure; roll-ups and counters stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.run import Cause, RunStatus
from tickwright.model.states import OPEN_RUNS
from tickwright.store.answers import Pruned
from tickwright.store.database import Database
from tickwright.store.schema import Tables

SCHEDULES = 200
_ENDED = sorted(status.value for status in RunStatus if status not in OPEN_RUNS)
_START = UUID(int=0)
_FAILURES: tuple[sa.ColumnElement[str], ...] = (
    sa.literal_column("'failed'"),
    sa.literal_column("'dead'"),
)
# Whatever the statistics say, reading a whole table for a step is never right.
_BY_INDEX = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")


async def prune_old(
    database: Database, now: datetime, keep: timedelta, limit: int, after: UUID | None
) -> Pruned:
    """Look at the next `limit` runs that may be too old, and delete those that are.

    What is remembered of rates goes too, once it no longer counts.

    Ids are UUIDv7: an id below the one of a moment was made before it, so the oldest rows are
    found through the primary key and no index on the end is needed.
    """
    t = database.tables
    async with database.write() as c:
        if after is None:
            await c.execute(sa.delete(t.rates).where(t.rates.c.expires_at < now))
        await _by_index(c)
        youngest = _first_id_at(now - await _shortest(c, t, keep))
        last = await _last_of(c, t, after or _START, youngest, limit)
        stretch = (t.runs.c.id > (after or _START), t.runs.c.id <= (last or youngest))
        deletable = _deletable(t).where(*stretch, _is_old(t, now, keep, database.dialect))
        deleted = await _delete(c, t, deletable)
    return Pruned(deleted, last, over=last is None)


async def prune_excess(database: Database, most: int, limit: int, after: UUID | None) -> Pruned:
    """Look at the next schedules, and delete what each has beyond its `keep_last`, or `most`.

    At most `limit` runs; then the same schedules come again. A `most` of 0 is no bound.
    """
    t = database.tables
    async with database.write() as c:
        await _by_index(c)
        schedules = await _next_schedules(c, t, after or _START)
        deleted = 0
        for keep in sorted({row.keep_last or most for row in schedules} - {0}):
            mine = [row.id for row in schedules if (row.keep_last or most) == keep]
            deleted += await _delete(c, t, _excess(t, mine, keep).limit(limit - deleted))
            if deleted >= limit:
                return Pruned(deleted, after, over=False)
    over = len(schedules) < SCHEDULES
    return Pruned(deleted, None if over else schedules[-1].id, over)


def _deletable(t: Tables) -> sa.Select[Any]:
    """Runs that no rule keeps; which of them have to go is for the caller to add."""
    r, s, cursors = t.runs, t.schedules, t.cursors
    newer = r.alias("newer")
    another = sa.exists().where(
        newer.c.schedule_id == r.c.schedule_id,
        newer.c.status.in_(_FAILURES),
        newer.c.id > r.c.id,
    )
    is_live = sa.and_(s.c.id.is_not(None), s.c.deleted_at.is_(None))
    decided = sa.or_(
        r.c.cause != Cause.SCHEDULE.value,
        cursors.c.decided_through.is_(None),
        sa.func.coalesce(r.c.through_at, r.c.nominal_at) <= cursors.c.decided_through,
    )
    return (
        sa.select(r.c.id)
        .select_from(
            r.outerjoin(s, s.c.id == r.c.schedule_id).outerjoin(
                cursors, cursors.c.schedule_id == r.c.schedule_id
            )
        )
        .where(r.c.status.in_(_ENDED), decided)
        .where(sa.or_(r.c.status.not_in(_FAILURES), ~is_live, another))
        .with_for_update(of=r, skip_locked=True)
    )


def _excess(t: Tables, schedules: Sequence[UUID], keep: int) -> sa.Select[Any]:
    """What these schedules have beside the last `keep` of each."""
    r, s, kept = t.runs, t.schedules, t.runs.alias("kept")
    oldest_kept = (
        sa.select(kept.c.nominal_at)
        .where(kept.c.schedule_id == s.c.id)
        .order_by(kept.c.nominal_at.desc())
        .offset(keep - 1)
        .limit(1)
        .scalar_subquery()
    )
    # Materialized, because else it would be found again for each run.
    bounds = (
        sa.select(s.c.id.label("schedule_id"), oldest_kept.label("nominal_at"))
        .where(s.c.id.in_(schedules))
        .cte("bounds")
        .prefix_with("MATERIALIZED")
    )
    # In no order, so that a long excess is not read to its end for a step.
    return _deletable(t).where(
        bounds.c.schedule_id == r.c.schedule_id, r.c.nominal_at < bounds.c.nominal_at
    )


def _is_old(t: Tables, now: datetime, keep: timedelta, dialect: str) -> sa.ColumnElement[bool]:
    """Ended longer ago than its job, or else the installation, keeps runs."""
    r, j = t.runs, t.jobs
    own = sa.select(j.c.keep_for_ms).where(j.c.scope_key == r.c.scope_key, j.c.key == r.c.job_key)
    unit: sa.ColumnElement[Any] = sa.literal_column(
        "interval '1 millisecond'" if dialect == "postgresql" else "1000"
    )
    kept_ms = sa.func.coalesce(own.scalar_subquery(), _milliseconds(keep))
    ended_at = sa.func.coalesce(r.c.finished_at, r.c.run_at, type_=r.c.run_at.type)
    until = sa.type_coerce(ended_at, sa.BigInteger) + sa.type_coerce(kept_ms * unit, sa.BigInteger)
    return sa.type_coerce(until, r.c.run_at.type) < sa.literal(now, r.c.run_at.type)


async def _shortest(c: AsyncConnection, t: Tables, keep: timedelta) -> timedelta:
    """The shortest time that any run is kept."""
    asked = sa.select(sa.func.min(t.jobs.c.keep_for_ms)).where(sa.text("keep_for_ms IS NOT NULL"))
    shortest: int | None = (await c.execute(asked)).scalar_one()
    return keep if shortest is None else min(keep, timedelta(milliseconds=shortest))


async def _last_of(
    c: AsyncConnection, t: Tables, after: UUID, youngest: UUID, limit: int
) -> UUID | None:
    """The `limit`th run of the stretch; none when it has fewer."""
    ids = t.runs.c.id
    nth = sa.select(ids).where(ids > after, ids <= youngest).order_by(ids).offset(limit - 1)
    found: UUID | None = (await c.execute(nth.limit(1))).scalar_one_or_none()
    return found


async def _next_schedules(c: AsyncConnection, t: Tables, after: UUID) -> Sequence[Any]:
    s, j = t.schedules, t.jobs
    own = sa.and_(j.c.scope_key == s.c.scope_key, j.c.key == s.c.job_key)
    found = sa.select(s.c.id, j.c.keep_last).select_from(s.outerjoin(j, own)).where(s.c.id > after)
    return (await c.execute(found.order_by(s.c.id).limit(SCHEDULES))).all()


async def _delete(c: AsyncConnection, t: Tables, deletable: sa.Select[Any]) -> int:
    ids = list((await c.execute(deletable)).scalars())
    if ids:
        for told in (t.attempts, t.reports, t.logs):
            await c.execute(sa.delete(told).where(told.c.run_id.in_(ids)))
        await c.execute(sa.delete(t.runs).where(t.runs.c.id.in_(ids)))
    return len(ids)


async def _by_index(c: AsyncConnection) -> None:
    if c.dialect.name == "postgresql":
        await c.execute(sa.select(*(sa.func.set_config(name, "off", True) for name in _BY_INDEX)))


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def _first_id_at(moment: datetime) -> UUID:
    """The smallest UUIDv7 (RFC 9562) of that millisecond."""
    milliseconds = int(moment.timestamp() * 1000)
    if milliseconds < 0:
        return _START
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (0x2 << 62))
