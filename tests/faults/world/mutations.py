"""Bugs that schedulers really have, planted into the engine from outside.

Invariant: a planted process differs from a sound one in that bug alone. What a judge does not
notice of these it would not notice of ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from tickwright import bootstrap
from tickwright.engine import planning
from tickwright.model.plan import Due, Plan
from tickwright.model.run import Claimed, Outcome, Succeeded
from tickwright.store.answers import Fired
from tickwright.store.base import Offer, PlanDue
from tickwright.store.firing import SqlFiring, _Batch, _cursor, _due
from tickwright.store.postgres import hot
from tickwright.store.postgres.hot import PostgresStatements
from tickwright.targets.http import HttpTarget
from tickwright.triggers.base import Trigger

GAP_SECONDS = 0.1
BLOCKED_SECONDS = 3.0
KEPT_IN_MEMORY = 40


def no_unique_key() -> None:
    """Insert occurrences without looking whether they exist; the index is dropped beside it."""
    hot._SQL["insert_runs"] = hot._SQL["insert_runs"].replace(
        "ON CONFLICT (schedule_id, nominal_at, own_key) DO NOTHING", ""
    )


def cursor_first() -> None:
    """Commit the moved cursors, and only then insert what they moved over."""

    async def write(self: SqlFiring, c: Any, now: datetime, batch: _Batch) -> Fired:
        batch.decide()
        await self._sql.advance(c, [_cursor(plan) for plan in batch.plans])
        await c.execute("COMMIT")
        await asyncio.sleep(GAP_SECONDS)
        await c.execute("BEGIN")
        inserted = await self._sql.insert_runs(c, batch.inserts) if batch.inserts else set()
        return batch.result(inserted)

    _patch(SqlFiring, "_write", write)


def next_from_now() -> None:
    """Fire what is due once, and count on from now."""
    sound = planning.plan

    def plan(due: Due, trigger: Trigger, now: datetime, step: Any = None) -> Plan:
        first = due.next_run_at
        decided = sound(due, trigger, first)
        decided.next_run_at = decided.next_run_at and trigger.next_after(now)
        return decided

    _patch(planning, "plan", plan)


def no_lease_token() -> None:
    """Let whoever comes end a run that is running, whoever holds it."""
    fence = "AND r.attempt = u.attempt\n  AND r.lease_token = u.lease_token\nRETURNING"
    assert fence in hot._SQL["finish"]
    hot._SQL["finish"] = (
        hot._SQL["finish"]
        .replace(fence, "RETURNING")
        .replace("RETURNING r.id, r.lease_token", "RETURNING r.id, u.lease_token")
    )


def blocking_work() -> None:
    """No bug of the engine: every delivery holds up the event loop for longer than a lease."""

    async def deliver(self: HttpTarget, run: Claimed) -> Outcome:
        time.sleep(BLOCKED_SECONDS)  # noqa: ASYNC251 - that is what it is about
        return await _deliver(self, run)

    _patch(HttpTarget, "deliver", deliver)


def heartbeat_in_the_handlers_thread() -> None:
    """Renew the lease in the loop that the handlers may block."""
    _patch(bootstrap, "_second_store", lambda *_: None)
    blocking_work()


def success_before_send() -> None:
    """Say that a run succeeded, and send it afterwards."""
    later: set[asyncio.Task[Outcome]] = set()

    async def deliver(self: HttpTarget, run: Claimed) -> Outcome:
        async def send() -> Outcome:
            await asyncio.sleep(GAP_SECONDS)
            return await _deliver(self, run)

        task = asyncio.create_task(send())
        later.add(task)
        task.add_done_callback(later.discard)
        return Succeeded()

    _patch(HttpTarget, "deliver", deliver)


def counter_in_memory() -> None:
    """Count in memory, and write it down when there is enough of it."""
    held: list[tuple[Any, ...]] = []

    async def count(self: PostgresStatements, c: Any, rows: list[tuple[Any, ...]]) -> None:
        held.extend(rows)
        if len(held) >= KEPT_IN_MEMORY:
            by_id: dict[UUID, tuple[Any, ...]] = {row[0]: row for row in held}
            held.clear()
            await _count_stats(self, c, [by_id[key] for key in sorted(by_id)])

    _patch(PostgresStatements, "count_stats", count)


def pause_outside_the_transaction() -> None:
    """Read what is due, and whether it may fire, before the transaction that fires it."""

    async def fire(
        self: SqlFiring, now: datetime, limit: int, plan: PlanDue, offer: Offer | None
    ) -> Fired:
        async with self._database.hot() as c:
            rows = await self._sql.due(c, now, limit)
        if not rows:
            return Fired()
        await asyncio.sleep(2 * GAP_SECONDS)
        async with self._database.hot() as c:
            opened = await self._opened(c, rows)
            plans = [plan(_due(row, opened)) for row in rows]
            return await self._write(c, now, _Batch(rows, plans, None))

    _patch(SqlFiring, "fire", fire)


def limits_without_a_lock() -> None:
    """Count what runs and let more of it go, whoever else does the same just then."""
    counted = PostgresStatements.count_running

    async def count(self: PostgresStatements, c: Any, rows: list[tuple[Any, ...]]) -> list[int]:
        found = await counted(self, c, rows)
        await asyncio.sleep(GAP_SECONDS)
        return found

    hot._SQL["lock_limits"] = "SELECT 1 FROM unnest($1::bigint[])"
    _patch(PostgresStatements, "count_running", count)


BUGS: dict[str, Callable[[], None]] = {
    "no-unique-key": no_unique_key,
    "cursor-first": cursor_first,
    "next-from-now": next_from_now,
    "no-lease-token": no_lease_token,
    "heartbeat-in-the-handlers-thread": heartbeat_in_the_handlers_thread,
    "success-before-send": success_before_send,
    "counter-in-memory": counter_in_memory,
    "pause-outside-the-transaction": pause_outside_the_transaction,
    "limits-without-a-lock": limits_without_a_lock,
}
CONTROLS: dict[str, Callable[[], None]] = {"blocking-work": blocking_work}


def plant(name: str) -> None:
    """Make this process carry that bug."""
    (BUGS | CONTROLS)[name]()


_deliver = HttpTarget.deliver
_count_stats = PostgresStatements.count_stats


def _patch(owner: Any, name: str, by: Any) -> None:
    assert hasattr(owner, name)
    setattr(owner, name, by)
