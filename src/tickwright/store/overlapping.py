"""Runs of one schedule that wait for an earlier one's end, or take its place.

Invariant: which of a schedule's runs wait is only ever decided while its cursor is locked, so a
run never comes to wait for one that has ended already.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.errors import StoreUnavailable
from tickwright.model.plan import OpenRuns
from tickwright.store.cancelling import ask_to_stop, cancel_queued
from tickwright.store.database import Database
from tickwright.store.schema import IN_LINE, OPEN, Tables

_MOST_AT_ONCE = 1000
_log = logging.getLogger("tickwright.lines")


async def open_runs(c: AsyncConnection, t: Tables, schedule_id: UUID) -> OpenRuns:
    """How many runs of the schedule are open; its cursor is locked by the caller."""
    waiting = sa.func.count().filter(sa.text(IN_LINE))
    found = sa.select(sa.func.count(), waiting).select_from(t.runs)
    mine = found.where(t.runs.c.schedule_id == schedule_id, sa.text(OPEN))
    every, in_line = (await c.execute(mine)).one()
    return OpenRuns(every - in_line, in_line)


async def make_way(c: AsyncConnection, t: Tables, schedule_id: UUID, now: datetime) -> None:
    """Cancel the schedule's queued runs and ask its running ones to stop.

    An ending holds its runs and then counts them, and so does this: all runs are locked before
    any of them is counted.
    """
    mine = t.runs.c.schedule_id == schedule_id
    opened = sa.select(t.runs.c.id).where(mine, sa.text(OPEN)).order_by(t.runs.c.id)
    await c.execute(opened.with_for_update())
    await ask_to_stop(c, t, mine, now)
    await cancel_queued(c, t, mine, "overlap", now)


async def advance_lines(database: Database, among: Collection[UUID] | None = None) -> None:
    """Let the oldest waiting run go of each of these schedules that has no active one.

    Of all schedules, without `among`. It is a transaction of its own, after that in which a run
    ended: cursors are locked before runs everywhere, and an ending holds runs. What is left
    waiting because the database went away meanwhile is found by the next sweep.
    """
    try:
        if among is None:
            async with database.read() as c:
                among = await _stranded(c, database.tables)
        if not among:
            return
        async with database.write() as c:
            if await let_go(c, database.tables, among):
                await database.notify(c, "ready")
    except StoreUnavailable:
        _log.warning("what waits for an earlier run is let go by the next sweep")


async def let_go(c: AsyncConnection, t: Tables, among: Collection[UUID]) -> int:
    """The same within the caller's transaction; how many went."""
    cursors, r = t.cursors, t.runs
    locked = sa.select(cursors.c.schedule_id).where(cursors.c.schedule_id.in_(among))
    await c.execute(locked.order_by(cursors.c.schedule_id).with_for_update())
    place = sa.func.row_number().over(
        partition_by=r.c.schedule_id, order_by=(r.c.nominal_at, r.c.id)
    )
    lines = sa.select(r.c.id, place.label("place")).where(r.c.schedule_id.in_(among), *_free(t))
    first = lines.subquery()
    went = sa.update(r).where(
        r.c.id.in_(sa.select(first.c.id).where(first.c.place == 1)), sa.text(IN_LINE)
    )
    gate = sa.case((r.c.limit_key.is_not(None), "limit"))
    return int((await c.execute(went.values(gate=gate))).rowcount)


def _free(t: Tables) -> tuple[sa.ColumnExpressionArgument[bool], ...]:
    """A run waits, and nothing else of its schedule is open."""
    active = t.runs.alias("active")
    blocked = sa.select(active.c.id).where(
        active.c.schedule_id == t.runs.c.schedule_id,
        active.c.status.in_(("queued", "running")),
        sa.or_(active.c.gate.is_(None), active.c.gate != "overlap"),
    )
    return sa.text(IN_LINE), ~blocked.exists()


async def _stranded(c: AsyncConnection, t: Tables) -> list[UUID]:
    found = sa.select(t.runs.c.schedule_id).distinct().where(*_free(t))
    return list((await c.execute(found.limit(_MOST_AT_ONCE))).scalars())
