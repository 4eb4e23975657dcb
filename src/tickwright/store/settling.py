"""Deciding what one schedule owes before it is changed, on whatever connection changes it.

Invariant: whether a planner or an edit comes first, the same occurrences are decided by the same
rule, so no edit, pause or cancellation drops an occurrence that was due before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.job import DEFAULT_POLICY, policy_from_json
from tickwright.model.json import JsonObject, dumps
from tickwright.model.plan import Decision, Due, Plan
from tickwright.model.run import Gate, RunStatus
from tickwright.model.schedule import Cursor, Schedule
from tickwright.model.scope import SYSTEM
from tickwright.store.base import Settle
from tickwright.store.database import new_id
from tickwright.store.limits import limit_key
from tickwright.store.overlapping import let_go, make_way, open_runs
from tickwright.store.schema import Tables
from tickwright.store.statements import inserting


async def settled(c: AsyncConnection, t: Tables, schedule: Schedule, by: Settle) -> Schedule:
    """`schedule`, locked by the caller, with all that is due decided and its cursor moved.

    The decisions are written; the cursor is left to the caller, who writes it in any case.
    """
    while (due_at := schedule.cursor.next_run_at) is not None and _owes(schedule.cursor, by.now):
        plan = by.plan(await _due(c, t, schedule, due_at))
        if plan.make_way:
            await make_way(c, t, schedule.id, by.now)
        await _insert(c, t, schedule, plan.decisions)
        if plan.make_way:
            await let_go(c, t, [schedule.id])
        schedule = replace(schedule, cursor=_moved(schedule.cursor, plan))
    return schedule


def _owes(cursor: Cursor, now: datetime) -> bool:
    """Whether an instant has passed, or something moved to before now follows it."""
    return any(at is not None and at <= now for at in (cursor.next_run_at, cursor.nominal))


async def of_its_job(
    c: AsyncConnection, t: Tables, scope_key: str, job_key: str, payload: JsonObject
) -> dict[str, Any]:
    """What a run takes over from its job when it is made."""
    j = t.jobs
    asked = sa.select(j.c.policy).where(j.c.scope_key == scope_key, j.c.key == job_key)
    stored = (await c.execute(asked)).scalar_one_or_none()
    policy = DEFAULT_POLICY if stored is None else policy_from_json(stored)
    return {
        "queue": policy.queue,
        "priority": policy.priority,
        "limit_key": limit_key(policy, payload),
    }


def unstarted(nominal_at: datetime) -> dict[str, Any]:
    """The columns of a run that are the same for each that nobody has claimed yet."""
    return {
        "nominal_at": nominal_at,
        "run_at": nominal_at,
        "count": 1,
        "attempt": 1,
        "lost_count": 0,
        "lease_token": 0,
        "items_processed": 0,
        "items_succeeded": 0,
        "items_failed": 0,
    }


def limit_gate(row: Mapping[str, Any]) -> Gate | None:
    """The gate of a new run that waits for nothing but the limits of its job."""
    waits = row["status"] == RunStatus.QUEUED and row["limit_key"] is not None
    return Gate.LIMIT if waits else None


async def _due(c: AsyncConnection, t: Tables, schedule: Schedule, due_at: datetime) -> Due:
    return Due(
        schedule_id=schedule.id,
        trigger=dumps(dict(schedule.trigger)),
        next_run_at=due_at,
        fired_count=schedule.cursor.fired_count,
        open=await open_runs(c, t, schedule.id),
        ends_at=schedule.ends_at,
        max_runs=schedule.max_runs,
        misfire=schedule.misfire,
        overlap=schedule.overlap,
        overlap_limit=schedule.overlap_limit,
        next_nominal=schedule.cursor.next_nominal,
        timing=schedule.timing,
        calendars=await _calendars(c, t, schedule),
    )


async def _calendars(c: AsyncConnection, t: Tables, schedule: Schedule) -> tuple[str, ...]:
    """The definitions that its timing names, its scope's own before the system's."""
    if schedule.timing is None or not schedule.timing.calendars:
        return ()
    k = t.calendars
    seen = k.c.scope_key.in_({schedule.scope.key, SYSTEM.key})
    found = sa.select(k).where(seen, k.c.key.in_(schedule.timing.calendars))
    rows = list(await c.execute(found.order_by(k.c.scope_key == schedule.scope.key)))
    texts = {row.key: dumps(row.definition) for row in rows}
    return tuple(texts[key] for key in sorted(texts))


def _moved(cursor: Cursor, plan: Plan) -> Cursor:
    return replace(
        cursor,
        next_run_at=plan.next_run_at,
        decided_through=plan.decided_through or cursor.decided_through,
        fired_count=plan.fired_count,
        spent=plan.spent,
        parked=plan.parked,
        next_nominal=plan.next_nominal,
    )


async def _insert(
    c: AsyncConnection, t: Tables, schedule: Schedule, decisions: Sequence[Decision]
) -> None:
    if not decisions:
        return
    common = {
        "scope_key": schedule.scope.key,
        "schedule_id": schedule.id,
        "job_key": schedule.job_key,
        "handler": schedule.handler,
        "cause": "schedule",
        "own_key": "",
        **await of_its_job(c, t, schedule.scope.key, schedule.job_key, schedule.payload),
    }
    rows = [common | unstarted(each.nominal_at) | _row(schedule, each) for each in decisions]
    for row in rows:
        row["gate"] = row["gate"] or limit_gate(row)
    statement = inserting(c, t.runs).on_conflict_do_nothing(
        index_elements=["schedule_id", "nominal_at", "own_key"]
    )
    await c.execute(statement, rows)


def _row(schedule: Schedule, decision: Decision) -> dict[str, Any]:
    fired = decision.status is RunStatus.QUEUED
    return {
        "id": new_id(),
        "status": decision.status.value,
        "reason": decision.reason,
        "through_at": decision.through_at,
        "count": decision.count,
        "gate": decision.gate,
        "run_at": decision.run_at or decision.nominal_at,
        "target": dict(schedule.target) if fired else None,
        "payload": dict(schedule.payload) if fired else None,
    }
