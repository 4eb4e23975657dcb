"""Many runs at once: which ones, and each treated as it would be alone.

Invariant: a transaction here never waits for one schedule while it holds another, and is short,
so that neither firing nor finishing is held up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from uuid import UUID

import sqlalchemy as sa

from tickwright.model.scope import Scope
from tickwright.store.base import NewRun
from tickwright.store.cancelling import ask_to_stop, cancel_queued
from tickwright.store.database import Database
from tickwright.store.overlapping import advance_lines
from tickwright.store.queries import RunQuery
from tickwright.store.run_lists import run_filters

GONE = "there is no such run any more"
_AT_ONCE = 20
_NOBODY = UUID(int=0)


async def matching_runs(
    database: Database, scope: Scope, query: RunQuery, limit: int
) -> list[UUID]:
    r = database.tables.runs
    found = sa.select(r.c.id).where(*run_filters(database.tables, scope, query))
    async with database.read() as c:
        return list((await c.execute(found.order_by(r.c.id).limit(limit))).scalars())


async def cancel_all(
    database: Database, scope: Scope, run_ids: Sequence[UUID], now: datetime
) -> dict[UUID, str]:
    t = database.tables
    r = t.runs
    mine = sa.and_(r.c.scope_key == scope.key, r.c.id.in_(run_ids))
    async with database.write() as c:
        # Locked in the order in which endings are written.
        await c.execute(sa.select(r.c.id).where(mine).order_by(r.c.id).with_for_update())
        await cancel_queued(c, t, mine, "cancelled", now)
        await ask_to_stop(c, t, mine, now)
        await database.notify(c, "cancel")
        rows = list(await c.execute(sa.select(r.c.id, r.c.status, r.c.schedule_id).where(mine)))
    ended = [row.schedule_id for row in rows if row.status == "cancelled" and row.schedule_id]
    if ended:
        await advance_lines(database, sorted(set(ended)))
    refused = dict.fromkeys(run_ids, GONE)
    for row in rows:
        if row.status in ("cancelled", "running"):
            del refused[row.id]
        else:
            refused[row.id] = f"the run has {row.status} already"
    return refused


async def portions(database: Database, scope: Scope, run_ids: Sequence[UUID]) -> list[list[UUID]]:
    """The runs in the portions of one transaction each, a few of one schedule."""
    r = database.tables.runs
    of = sa.select(r.c.id, r.c.schedule_id).where(r.c.scope_key == scope.key, r.c.id.in_(run_ids))
    async with database.read() as c:
        schedules = {row.id: row.schedule_id or _NOBODY for row in await c.execute(of)}
    ordered = sorted(run_ids, key=lambda run_id: (schedules.get(run_id, _NOBODY), run_id))
    found = []
    for _, group in groupby(ordered, key=lambda run_id: schedules.get(run_id, _NOBODY)):
        same = list(group)
        found += [same[n : n + _AT_ONCE] for n in range(0, len(same), _AT_ONCE)]
    return found


def own_request(new: NewRun, run_id: UUID) -> NewRun:
    """One request for many is one of its own for each of them."""
    if new.request_key is None:
        return new
    return replace(new, request_key=f"{new.request_key}:{run_id}")
