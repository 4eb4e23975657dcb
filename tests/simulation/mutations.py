"""Bugs that schedulers have had, planted on purpose: the simulation has to find each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from tickwright.engine import planning
from tickwright.engine.executor import Executor
from tickwright.model.plan import Due, Plan
from tickwright.model.run import Claimed, Ending, Outcome, Succeeded
from tickwright.model.schedule import Schedule
from tickwright.model.scope import Scope
from tickwright.store import firing
from tickwright.store.answers import Fired
from tickwright.store.base import Decide, Offer, PlanDue, Ref, Settle
from tickwright.store.changes import insert_change
from tickwright.store.firing import SqlFiring
from tickwright.store.queue import SqlQueue
from tickwright.store.schedules import SqlSchedules
from tickwright.store.sqlite import hot
from tickwright.triggers import Trigger

Change = tuple[Any, str, Any]
_FENCE = "AND r.attempt = u.attempt\n  AND r.lease_token = u.lease_token"
_plan = planning.plan
_finish = SqlQueue.finish


def no_lease_token() -> Change:
    """Whoever ends a run ends it, whether it is still his or not."""
    statements = dict(hot._SQL)
    assert _FENCE in statements["finish"]
    statements["finish"] = statements["finish"].replace(_FENCE, "")
    return hot, "_SQL", statements


def cursor_committed_first() -> Change:
    """A cursor moves in a transaction before the one that writes down the decisions."""

    async def fire(
        self: Any, now: datetime, limit: int, plan: PlanDue, offer: Offer | None
    ) -> Fired:
        async with self._database.hot() as c:
            rows = await self._sql.due(c, now, limit)
            opened = await self._opened(c, rows)
            plans = [plan(firing._due(row, opened)) for row in rows]
            await self._sql.advance(c, [firing._cursor(each) for each in plans])
        if not rows:
            return Fired()
        async with self._database.hot() as c:
            return await SqlFiring._write(self, c, now, firing._Batch(rows, plans, None))

    return SqlFiring, "fire", fire


def next_time_from_now() -> Change:
    """What comes next is reckoned from now, and not from what was decided."""

    def plan(due: Due, trigger: Trigger, now: datetime, step: Any) -> Plan:
        planned = _plan(due, trigger, due.next_run_at, step)
        if planned.next_run_at is not None:
            planned.next_run_at = trigger.next_after(now)
        return planned

    return planning, "plan", plan


def schedule_read_outside_the_transaction() -> Change:
    """An edit writes what follows from a schedule that may have changed since it was read."""

    async def write(
        self: Any,
        scope: Scope,
        ref: Ref,
        decide: Decide,
        *,
        settle: Settle | None = None,
        connection: Any = None,
    ) -> Schedule | None:
        async with self._database.write() as c:
            current = await self._locked(c, scope, ref)
        edit = decide(current)
        if edit is None:
            return cast("Schedule | None", current)
        async with self._database.write() as c:
            await (self._update if current else self._insert)(c, edit.schedule)
            await insert_change(c, self._tables, edit.change)
        return edit.schedule

    return SqlSchedules, "write", write


def success_before_the_work() -> Change:
    """A run counts as done when its work was handed over."""

    async def attempt(self: Any, run: Claimed) -> Outcome:
        run.started_at = self._time.stamp()
        handed_over = asyncio.ensure_future(self._target(run).deliver(run))
        handed_over.add_done_callback(lambda done: done.cancelled() or done.exception())
        return Succeeded()

    return Executor, "attempt", attempt


def counters_beside_the_transaction() -> Change:
    """Counters are kept in memory, and written when the runs have been."""

    async def finish(self: Any, endings: Sequence[Ending]) -> set[UUID]:
        counted: list[Ending] = []

        async def count(_: Any, accepted: list[Ending]) -> None:
            counted.extend(accepted)

        self._count = count
        try:
            won = await _finish(self, endings)
        finally:
            del self._count
        if counted:
            async with self._database.hot() as c:
                await SqlQueue._count(self, c, counted)
        return won

    return SqlQueue, "finish", finish


PLANTED: dict[str, Callable[[], Change]] = {
    each.__name__: each
    for each in (
        no_lease_token,
        cursor_committed_first,
        next_time_from_now,
        schedule_read_outside_the_transaction,
        success_before_the_work,
        counters_beside_the_transaction,
    )
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """With that bug in the scheduler."""
    where, attribute, bug = PLANTED[name]()
    sound = getattr(where, attribute)
    setattr(where, attribute, bug)
    try:
        yield
    finally:
        setattr(where, attribute, sound)
