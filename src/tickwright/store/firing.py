"""Firing: due cursors, decision rows and moved cursors in one transaction.

Invariant: an automatic run exists at most once per schedule and instant, and a cursor moves only
together with the rows that decide what it moved over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic_core import from_json

from tickwright.model.plan import NONE_OPEN, Decision, Due, OpenRuns, Plan
from tickwright.model.run import Cause, Claimed, Gate, RunStatus
from tickwright.model.schedule import Misfire, Overlap
from tickwright.model.scope import Scope
from tickwright.store.answers import Fired, Undone
from tickwright.store.base import Offer, PlanDue
from tickwright.store.database import Database, Statements, new_id
from tickwright.store.limits import limit_key
from tickwright.store.overlapping import advance_lines
from tickwright.store.policies import (
    DEFAULT_PRIORITY,
    DEFAULT_QUEUE,
    policy_from_text,
    target_from_text,
    timing_from_text,
)

_MISFIRES = {policy.value: policy for policy in Misfire}
_OVERLAPS = {policy.value: policy for policy in Overlap}
scope_of = lru_cache(maxsize=10_000)(Scope.from_key)


class SqlFiring:
    """The firing transaction, over either dialect's statements."""

    def __init__(self, database: Database, statements: Statements) -> None:
        self._database = database
        self._sql = statements

    async def fire(self, now: datetime, limit: int, plan: PlanDue, offer: Offer | None) -> Fired:
        async with self._database.hot() as c:
            rows = await self._sql.due(c, now, limit)
            if not rows:
                return Fired()
            opened = await self._opened(c, rows)
            plans = [plan(_due(row, opened)) for row in rows]
            if offer is not None and not await self._may_claim(c, offer, now):
                offer = None
            fired = await self._write(c, now, _Batch(rows, plans, offer))
        replaced = [plan.schedule_id for plan in plans if plan.make_way]
        if replaced:
            await advance_lines(self._database, replaced)
        return fired

    async def _opened(self, c: Any, rows: list[Any]) -> dict[UUID, OpenRuns]:
        guarded = [row["schedule_id"] for row in rows if row["overlap"] != Overlap.ALLOW]
        found = await self._sql.open_runs(c, guarded) if guarded else []
        return {row["schedule_id"]: OpenRuns(row["active"], row["waiting"]) for row in found}

    async def next_due(self) -> datetime | None:
        async with self._database.glance() as c:
            return await self._sql.next_due(c)

    async def _may_claim(self, c: Any, offer: Offer, now: datetime) -> bool:
        return offer.slots > 0 and await self._sql.may_claim(c, offer.worker_id, now)

    async def _write(self, c: Any, now: datetime, batch: _Batch) -> Fired:
        batch.decide()
        replaced = [plan.schedule_id for plan in batch.plans if plan.make_way]
        if replaced:
            await self._make_way(c, replaced, now)
        inserted = await self._sql.insert_runs(c, batch.inserts) if batch.inserts else set()
        await self._sql.advance(c, [_cursor(plan) for plan in batch.plans])
        spent = [plan.schedule_id for plan in batch.plans if plan.spent]
        if spent:
            await self._sql.complete(c, spent, now)
        # Normally every row is new; only then can asking for each id be spared.
        everything = len(inserted) == len(batch.inserts)
        fired = batch.result(_Everything() if everything else inserted)
        if fired.queued:
            await self._sql.notify(c, "ready")
        return fired

    async def _make_way(self, c: Any, ids: list[UUID], now: datetime) -> None:
        ended = await self._sql.make_way(c, ids, now)
        cancelled = Counter(row["schedule_id"] for row in ended if row["status"] == "cancelled")
        if cancelled:
            await self._sql.count_days(c, _cancelled_days(cancelled, now))
        await self._sql.notify(c, "cancel")


class _Everything:
    def __contains__(self, _: object) -> bool:
        return True


class _Batch:
    """One tick's plans on their way into rows and claimed runs."""

    def __init__(self, rows: list[Any], plans: list[Plan], offer: Offer | None) -> None:
        self.rows = rows
        self.plans = plans
        self.inserts: list[tuple[Any, ...]] = []
        self._offer = offer
        self._room = offer.slots if offer else 0
        self._claims: list[tuple[UUID, Any, Decision]] = []
        self._queued: list[UUID] = []
        self._undone: list[tuple[UUID, Undone]] = []

    def decide(self) -> None:
        for row, plan in zip(self.rows, self.plans, strict=True):
            for decision in plan.decisions:
                self._add(row, decision)

    def _add(self, row: Any, decision: Decision) -> None:
        run_id = new_id()
        fired = decision.status is RunStatus.QUEUED
        key = _limit_key(row) if fired and row["policy"] is not None else None
        gate = decision.gate or (Gate.LIMIT if key is not None else None)
        claim = fired and gate is None and self._fits(row)
        if claim:
            self._room -= 1
            self._claims.append((run_id, row, decision))
        elif fired:
            self._queued.append(run_id)
        else:
            scope = scope_of(row["scope_key"])
            told = Undone(scope, row["schedule_id"], row["schedule_key"], decision)
            self._undone.append((run_id, told))
        self.inserts.append(
            (
                run_id,
                row["schedule_id"],
                RunStatus.RUNNING.value if claim else decision.status.value,
                decision.reason,
                decision.nominal_at,
                decision.through_at,
                decision.count,
                fired,
                row["queue"] or DEFAULT_QUEUE,
                row["priority"] or DEFAULT_PRIORITY,
                self._offer.worker_id if claim and self._offer else None,
                1 if claim else 0,
                gate,
                key,
                decision.run_at,
            )
        )

    def _fits(self, row: Any) -> bool:
        if self._offer is None or self._room <= 0:
            return False
        handler = row["handler"]
        queue = row["queue"] or DEFAULT_QUEUE
        return queue in self._offer.queues and (handler is None or handler in self._offer.handlers)

    def result(self, inserted: Container[UUID]) -> Fired:
        worker_id = self._offer.worker_id if self._offer else None
        return Fired(
            schedules=len(self.plans),
            queued=sum(run_id in inserted for run_id in self._queued),
            claimed=[_claimed(*claim, worker_id) for claim in self._claims if claim[0] in inserted],
            undone=[told for run_id, told in self._undone if run_id in inserted],
            parked=list(self._parked()),
        )

    def _parked(self) -> Iterator[tuple[Scope, UUID, str]]:
        for row, plan in zip(self.rows, self.plans, strict=True):
            if plan.parked is not None:
                yield scope_of(row["scope_key"]), plan.schedule_id, plan.parked


def _due(row: Any, opened: Mapping[UUID, OpenRuns]) -> Due:
    return Due(
        schedule_id=row["schedule_id"],
        trigger=row["trigger"],
        next_run_at=row["next_run_at"],
        fired_count=row["fired_count"],
        open=opened.get(row["schedule_id"], NONE_OPEN),
        ends_at=row["ends_at"],
        max_runs=row["max_runs"],
        misfire=_MISFIRES[row["misfire"]],
        overlap=_OVERLAPS[row["overlap"]],
        overlap_limit=row["overlap_limit"],
        next_nominal=row["next_nominal"],
        timing=None if row["timing"] is None else timing_from_text(row["timing"]),
        calendars=() if row["calendars"] is None else tuple(from_json(row["calendars"])),
    )


def _limit_key(row: Any) -> str | None:
    policy = policy_from_text(row["policy"])
    return limit_key(policy, from_json(row["payload"])) if policy.limited else None


def _cursor(plan: Plan) -> tuple[Any, ...]:
    return (
        plan.schedule_id,
        plan.next_run_at,
        plan.decided_through,
        plan.fired_count,
        plan.spent,
        plan.parked,
        plan.next_nominal,
    )


def _cancelled_days(cancelled: Counter[UUID], now: datetime) -> list[tuple[Any, ...]]:
    return [(key, now.date(), 0, 0, cancelled[key], 0, 0, 0, 0) for key in sorted(cancelled)]


def _claimed(run_id: UUID, row: Any, decision: Decision, worker_id: UUID | None) -> Claimed:
    return Claimed(
        id=run_id,
        scope=scope_of(row["scope_key"]),
        schedule_id=row["schedule_id"],
        schedule_key=row["schedule_key"],
        job_key=row["job_key"],
        cause=Cause.SCHEDULE,
        nominal_at=decision.nominal_at,
        run_at=decision.run_at or decision.nominal_at,
        target=target_from_text(row["target"]),
        payload=from_json(row["payload"]),
        attempt=1,
        lease_token=1,
        policy=policy_from_text(row["policy"]),
        worker_id=worker_id,
        serial=_OVERLAPS[row["overlap"]].serial,
    )
