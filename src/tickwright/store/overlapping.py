"""Runs of one schedule that wait for an earlier one's end, or take its place.

Invariant: which of a schedule's runs wait is only ever decided while its cursor is locked, so a
run never comes to wait for one that has ended already.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.plan import OpenRuns
from tickwright.store.cancelling import ask_to_stop, cancel_queued
from tickwright.store.schema import IN_LINE, OPEN, Tables

_MOST_AT_ONCE = 1000


async def open_runs(c: AsyncConnection, t: Tables, schedule_id: UUID) -> OpenRuns:
    """How many runs of the schedule are open; its cursor is locked by the caller."""
    waiting = sa.func.count().filter(sa.text(IN_LINE))
    found = sa.select(sa.func.count(), waiting).select_from(t.runs)
    mine = found.where(t.runs.c.schedule_id == schedule_id, sa.text(OPEN))
    every, in_line = (await c.execute(mine)).one()
    return OpenRuns(every - in_line, in_line)


async def make_way(c: AsyncConnection, t: Tables, schedule_id: UUID, now: datetime) -> None:
    """Cancel the schedule's queued runs and ask its running ones to stop."""
    mine = t.runs.c.schedule_id == schedule_id
    await cancel_queued(c, t, mine, "overlap", now)
    await ask_to_stop(c, t, mine, now)


async def advance_lines(c: AsyncConnection, t: Tables, among: Collection[UUID] | None) -> int:
    """Let the oldest waiting run go of each schedule that has no active one; how many went.

    Of these schedules, or of all that have a line.
    """
    ids = await _lines(c, t) if among is None else sorted(among)
    if not ids:
        return 0
    cursors, r = t.cursors, t.runs
    locked = sa.select(cursors.c.schedule_id).where(cursors.c.schedule_id.in_(ids))
    await c.execute(locked.order_by(cursors.c.schedule_id).with_for_update())
    active = r.alias("active")
    blocked = sa.select(active.c.id).where(
        active.c.schedule_id == r.c.schedule_id,
        active.c.status.in_(("queued", "running")),
        sa.or_(active.c.gate.is_(None), active.c.gate != "overlap"),
    )
    place = sa.func.row_number().over(
        partition_by=r.c.schedule_id, order_by=(r.c.nominal_at, r.c.id)
    )
    lines = (
        sa.select(r.c.id, place.label("place"))
        .where(r.c.schedule_id.in_(ids), sa.text(IN_LINE), ~blocked.exists())
        .subquery()
    )
    first = sa.select(lines.c.id).where(lines.c.place == 1)
    went = sa.update(r).where(r.c.id.in_(first), sa.text(IN_LINE)).values(gate=None)
    return int((await c.execute(went)).rowcount)


async def _lines(c: AsyncConnection, t: Tables) -> list[UUID]:
    found = sa.select(t.runs.c.schedule_id).distinct().where(sa.text(IN_LINE))
    return sorted((await c.execute(found.limit(_MOST_AT_ONCE))).scalars())
