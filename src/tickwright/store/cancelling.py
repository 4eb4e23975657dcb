"""Cancelling runs that nobody has begun, and asking those that are under way to stop.

Invariant: a cancelled run is counted in the day's roll-up by the transaction that cancels it.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.store.schema import Tables
from tickwright.store.statements import inserting

_SUMS = (
    "succeeded",
    "failed",
    "duration_ms",
    "items_processed",
    "items_succeeded",
    "items_failed",
)


async def cancel_queued(
    c: AsyncConnection, t: Tables, which: sa.ColumnElement[bool], reason: str, now: datetime
) -> None:
    """Cancel the queued ones of these runs."""
    cancelled = (
        sa.update(t.runs)
        .where(which, t.runs.c.status == "queued")
        .values(status="cancelled", reason=reason, gate=None, finished_at=now)
        .returning(t.runs.c.schedule_id)
    )
    ids = (await c.execute(cancelled)).scalars().all()
    # In key order, so that two of them at once cannot deadlock.
    counts = Counter(each for each in ids if each is not None)
    for schedule_id, count in sorted(counts.items()):
        counted = inserting(c, t.days).values(
            schedule_id=schedule_id, day=now.date(), cancelled=count, **dict.fromkeys(_SUMS, 0)
        )
        await c.execute(
            counted.on_conflict_do_update(
                index_elements=["schedule_id", "day"],
                set_={"cancelled": t.days.c.cancelled + counted.excluded.cancelled},
            )
        )


async def ask_to_stop(
    c: AsyncConnection, t: Tables, which: sa.ColumnElement[bool], now: datetime
) -> None:
    """Ask the running ones of these runs to stop; the first to ask gives the time."""
    r = t.runs
    asked = sa.func.coalesce(r.c.cancel_requested_at, sa.bindparam(None, now, r.c.run_at.type))
    running = sa.update(r).where(which, r.c.status == "running")
    await c.execute(running.values(cancel_requested_at=asked))
