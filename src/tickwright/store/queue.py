"""Claiming runs and taking their results.

Invariant: a run is ended at most once per attempt and lease token; counters and roll-ups move in
the transaction that ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from operator import add
from typing import Any
from uuid import UUID

from pydantic_core import from_json

from tickwright.model.json import dumps
from tickwright.model.run import Cause, Claimed, Ending, RunStatus
from tickwright.model.schedule import Overlap
from tickwright.store.answers import Overdue
from tickwright.store.base import EndLost, Offer
from tickwright.store.database import Database, Statements
from tickwright.store.firing import scope_of
from tickwright.store.lateness import overdue
from tickwright.store.limits import Limits, limit_key
from tickwright.store.overlapping import advance_lines
from tickwright.store.policies import policy_from_text, target_from_text

_MILLISECOND = 1000
_STALE = (-1, "")
_CAUSES = {cause.value: cause for cause in Cause}
_SERIAL = {overlap.value for overlap in Overlap if overlap.serial}


class SqlQueue:
    """The queue of runs, over either dialect's statements."""

    def __init__(self, database: Database, statements: Statements) -> None:
        self._database = database
        self._sql = statements
        self._limits = Limits(statements)
        self._lane = ""

    async def lift(self, now: datetime) -> int:
        async with self._database.hot() as c:
            lifted = await self._sql.lift(c, now)
            if lifted:
                await self._sql.notify(c, "ready")
            return lifted

    async def claim(self, offer: Offer, now: datetime) -> list[Claimed]:
        claimed: list[Claimed] = []
        while len(claimed) < offer.slots:
            asked = replace(offer, slots=offer.slots - len(claimed))
            async with self._database.hot(in_order=True) as c:
                opened = await self._limits.open(c, asked, now)
                rows = await self._sql.take(c, self._lane, asked, now)
                if opened is not None:
                    await opened.close({row["id"] for row in rows})
                taken = await self._within_limits(c, [_claimed(row) for row in rows])
            claimed += taken
            if rows:
                self._lane = rows[-1]["scope_key"]
            # Each lane gave at most its share: what others left over is asked for again.
            if len({row["scope_key"] for row in rows}) < 2:
                break
        return claimed

    async def _within_limits(self, c: Any, taken: list[Claimed]) -> list[Claimed]:
        """Without those that were made before their job had limits: they wait for those now."""
        free = [run for run in taken if run.limit_key is None and run.policy.limited]
        if not free:
            return taken
        await self._sql.hold_back(c, [(r.id, limit_key(r.policy, r.payload)) for r in free])
        return [run for run in taken if run not in free]

    async def started(self, runs: Sequence[Claimed]) -> int:
        rows = [(r.id, r.attempt, r.lease_token, r.started_at) for r in runs]
        if not rows:
            return 0
        async with self._database.hot() as c:
            return await self._sql.mark_started(c, rows)

    async def finish(self, endings: Sequence[Ending]) -> set[UUID]:
        if not endings:
            return set()
        async with self._database.hot() as c:
            ended = await self._finish(c, endings)
        serial = [e.run for e in endings if e.run.serial and e.run.id in ended]
        if lines := {run.schedule_id for run in serial if run.schedule_id is not None}:
            await advance_lines(self._database, lines)
        return ended

    async def release(self, runs: Sequence[Claimed], now: datetime) -> None:
        await self.finish([_unstarted(run, now) for run in runs])

    async def held(self, worker_id: UUID) -> list[Claimed]:
        async with self._database.hot() as c:
            return [_claimed(row) for row in await self._sql.held(c, worker_id)]

    async def rescue(self, now: datetime, limit: int, end: EndLost) -> list[Ending]:
        async with self._database.hot() as c:
            rows = await self._sql.orphans(c, now, limit)
            endings = [end(_claimed(row)) for row in rows]
            won = await self._finish(c, endings) if endings else set()
            # Finishing sweeps only the schedules it touched; one whose row was locked just then
            # is found here.
            await self._sql.complete(c, None, now)
        # What a process left waiting when it died between an end and this.
        await advance_lines(self._database)
        return [ending for ending in endings if ending.run.id in won]

    async def overdue(self, now: datetime, limit: int) -> Overdue:
        return await overdue(self._database, now, limit)

    async def _finish(self, c: Any, endings: Sequence[Ending]) -> set[UUID]:
        endings = _one_per_lease(endings)
        await self._end_for_good(c, [ending for ending in endings if not ending.final])
        ended = await self._sql.finish(c, [_row(ending) for ending in endings])
        accepted = [e for e in endings if ended.get(e.run.id, _STALE)[0] == e.run.lease_token]
        for ending in accepted:
            ending.status = RunStatus(ended[ending.run.id][1])
        superseded = [_attempt(e) for e in accepted if not e.final and e.attempt > e.run.attempt]
        if superseded:
            await self._sql.supersede(c, superseded)
        await self._count(c, [ending for ending in accepted if ending.final])
        for topic in sorted({_topic(e) for e in accepted if not e.final or e.run.policy.limited}):
            await self._sql.notify(c, topic)
        return set(ended)

    async def _end_for_good(self, c: Any, retried: list[Ending]) -> None:
        """A run whose schedule was cancelled or deleted meanwhile gets no other try.

        The schedules stay locked until the commit: an edit that ends one of them comes either
        before, and is seen here, or after, and finds the run queued.
        """
        ids = sorted({e.run.schedule_id for e in retried if e.run.schedule_id is not None})
        over = await self._sql.ended_schedules(c, ids) if ids else {}
        for ending in retried:
            if ending.run.schedule_id in over:
                ending.cancel(over[ending.run.schedule_id])

    async def _count(self, c: Any, endings: list[Ending]) -> None:
        counted = [ending for ending in endings if ending.run.schedule_id is not None]
        if not counted:
            return
        await self._sql.count_stats(c, _stats(counted))
        if broken := _breakable(counted):
            await self._sql.trip(c, sorted(broken.items()), counted[-1].finished_at)
        await self._sql.count_days(c, _days(counted))
        ids = sorted({e.run.schedule_id for e in counted if e.run.schedule_id is not None})
        await self._sql.complete(c, ids, max(ending.finished_at for ending in counted))


def _breakable(endings: list[Ending]) -> dict[UUID, int]:
    """After how many failures those schedules are paused of which a run has just failed."""
    return {
        e.run.schedule_id: e.run.policy.pause_after
        for e in endings
        if e.breaks_circuit and e.run.schedule_id is not None and e.run.policy.pause_after
    }


def _one_per_lease(endings: Sequence[Ending]) -> list[Ending]:
    """In run order; a process that lost a run and claimed it again may hold endings of both."""
    ordered = sorted(endings, key=lambda ending: ending.run.id)
    if len({ending.run.id for ending in ordered}) == len(ordered):
        return ordered
    first = {(e.run.id, e.run.lease_token): e for e in reversed(ordered)}
    return [e for e in ordered if first[e.run.id, e.run.lease_token] is e]


def _topic(ending: Ending) -> str:
    """A next try without a time of its own may be claimed at once, as what waited for room."""
    return "ready" if ending.run_at is None else "due"


def _claimed(row: Any) -> Claimed:
    return Claimed(
        id=row["id"],
        scope=scope_of(row["scope_key"]),
        schedule_id=row["schedule_id"],
        schedule_key=row["schedule_key"],
        job_key=row["job_key"],
        cause=_CAUSES[row["cause"]],
        nominal_at=row["nominal_at"],
        run_at=row["run_at"],
        target=target_from_text(row["target"]),
        payload=from_json(row["payload"]),
        attempt=row["attempt"],
        lease_token=row["lease_token"],
        lost_count=row["lost_count"],
        triggered_by=row["triggered_by"],
        policy=policy_from_text(row["policy"]),
        started_at=row["started_at"],
        worker_id=row["worker_id"],
        serial=row["overlap"] in _SERIAL,
        limit_key=row["limit_key"],
    )


def _unstarted(run: Claimed, now: datetime) -> Ending:
    return Ending(
        run=run,
        status=RunStatus.QUEUED,
        finished_at=now,
        outcome="released",
        attempt=run.attempt,
        lost_count=run.lost_count,
    )


def _row(ending: Ending) -> tuple[Any, ...]:
    run, items = ending.run, ending.items
    return (
        run.id,
        run.attempt,
        run.lease_token,
        ending.status.value,
        ending.run_at,
        ending.attempt,
        ending.lost_count,
        run.started_at,
        ending.finished_at,
        ending.reason,
        ending.error,
        None if ending.result is None else dumps(ending.result),
        items.processed,
        items.succeeded,
        items.failed,
    )


def _attempt(ending: Ending) -> tuple[Any, ...]:
    run = ending.run
    return (
        run.id,
        run.attempt,
        ending.outcome,
        run.worker_id,
        run.started_at,
        ending.finished_at,
        ending.error,
    )


def _milliseconds(ending: Ending) -> int:
    started = ending.run.started_at
    if started is None:
        return 0
    return max(0, round((ending.finished_at - started).total_seconds() * _MILLISECOND))


def _stats(endings: list[Ending]) -> list[tuple[Any, ...]]:
    """One row per schedule, in id order; the run that began last gives the last_* values."""
    by_schedule: dict[UUID, list[Ending]] = {}
    for ending in endings:
        if ending.run.schedule_id is not None:
            by_schedule.setdefault(ending.run.schedule_id, []).append(ending)
    return [_stat(key, by_schedule[key]) for key in sorted(by_schedule)]


def _stat(schedule_id: UUID, endings: list[Ending]) -> tuple[Any, ...]:
    if len(endings) > 1:
        endings = sorted(endings, key=lambda ending: ending.finished_at)
    succeeded = [e for e in endings if e.status is RunStatus.SUCCEEDED]
    failed = [e for e in endings if e.failed]
    streak = circuit = 0
    for ending in reversed(endings):
        if ending.status is RunStatus.SUCCEEDED:
            break
        streak += ending.status is not RunStatus.CANCELLED
        circuit += ending.failed and ending.run.cause is Cause.SCHEDULE
    last = max(endings, key=lambda ending: (_began(ending), ending.finished_at))
    return (
        schedule_id,
        len(endings),
        len(succeeded),
        len(failed),
        streak,
        _began(last),
        succeeded[-1].finished_at if succeeded else None,
        last.status.value,
        _milliseconds(last),
        circuit,
    )


def _began(ending: Ending) -> datetime:
    return ending.run.started_at or ending.finished_at


def _days(endings: list[Ending]) -> list[tuple[Any, ...]]:
    """One row per schedule and UTC day, in key order."""
    sums: dict[tuple[UUID, date], tuple[int, ...]] = {}
    for ending in endings:
        if ending.run.schedule_id is None:
            continue
        key = (ending.run.schedule_id, ending.finished_at.date())
        added = _day(ending)
        total = sums.get(key)
        sums[key] = added if total is None else tuple(map(add, total, added))
    return [(*key, *sums[key]) for key in sorted(sums)]


def _day(ending: Ending) -> tuple[int, ...]:
    succeeded = ending.status is RunStatus.SUCCEEDED
    cancelled = ending.status is RunStatus.CANCELLED
    items = ending.items
    return (
        int(succeeded),
        int(not succeeded and not cancelled),
        int(cancelled),
        _milliseconds(ending),
        items.processed,
        items.succeeded,
        items.failed,
    )
