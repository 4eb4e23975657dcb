"""Runs as users see them: adding one by hand, reading, cancelling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.errors import Conflict, ManualDenied, NotFound, NotPossible
from tickwright.model.page import Page
from tickwright.model.plan import OpenRuns
from tickwright.model.run import Attempt, Cause, Gate, Items, Run, RunStatus
from tickwright.model.schedule import Overlap, ScheduleStatus
from tickwright.model.scope import Scope
from tickwright.model.states import OPEN_RUNS
from tickwright.store.base import NewRun, Ref, Work
from tickwright.store.bulk import GONE, cancel_all, matching_runs, own_request, portions
from tickwright.store.cancelling import ask_to_stop, cancel_queued
from tickwright.store.database import Database, new_id
from tickwright.store.listing import is_named
from tickwright.store.overlapping import advance_lines, make_way, open_runs
from tickwright.store.queries import RunQuery
from tickwright.store.reports import reported, with_report
from tickwright.store.run_lists import run_page, select_runs
from tickwright.store.settling import limit_gate, of_its_job, unstarted

T = TypeVar("T")


class SqlRuns:
    """The runs contract in statements both dialects share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables = database.tables

    async def add(self, scope: Scope, ref: Ref, new: NewRun, *, now: datetime) -> Run:
        return await self._twice(lambda: self._add(scope, ref, new, now))

    async def start(self, scope: Scope, work: Work, new: NewRun, *, now: datetime) -> Run:
        return await self._twice(lambda: self._start(scope, work, new, now))

    async def replay(self, scope: Scope, run_id: UUID, new: NewRun, *, now: datetime) -> Run | None:
        return await self._twice(lambda: self._replay(scope, run_id, new, now))

    async def _twice(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except IntegrityError:
            # Another request took the request key first: now its run can be found.
            return await work()

    async def _add(self, scope: Scope, ref: Ref, new: NewRun, now: datetime) -> Run:
        async with self._database.write() as c:
            schedule = await self._locked(c, scope, ref)
            made = await self._requested(c, scope, new.request_key)
            if made is None:
                _refuse_start(schedule, new.force)
                gate = await self._gate(c, schedule, now)
                made = await self._insert(c, _of_schedule(schedule), new, now, gate)
            row = await self._row(c, made)
        if row.schedule_id != schedule.id or row.replay_of is not None:
            raise Conflict("this request has started something else before")
        return run_from(row)

    async def _start(self, scope: Scope, work: Work, new: NewRun, now: datetime) -> Run:
        async with self._database.write() as c:
            made = await self._requested(c, scope, new.request_key)
            if made is None:
                made = await self._insert(c, _of_work(scope, work), new, now, None)
            row = await self._row(c, made)
        if (row.schedule_id, row.job_key, row.replay_of) != (None, work.job_key, None):
            raise Conflict("this request has started something else before")
        return run_from(row)

    async def _replay(self, scope: Scope, run_id: UUID, new: NewRun, now: datetime) -> Run | None:
        async with self._database.write() as c:
            return await self._replayed(c, scope, run_id, new, now)

    async def _replayed(
        self, c: AsyncConnection, scope: Scope, run_id: UUID, new: NewRun, now: datetime
    ) -> Run | None:
        r = self._tables.runs
        mine = sa.select(r).where(r.c.scope_key == scope.key, r.c.id == run_id)
        old = (await c.execute(mine)).one_or_none()
        if old is None:
            return None
        made = await self._requested(c, scope, new.request_key)
        if made is None:
            _refuse_replay(old)
            gate = await self._gate_of(c, scope, old.schedule_id, now)
            made = await self._insert(c, _of_run(old), new, now, gate)
        row = await self._row(c, made)
        if row.replay_of != run_id:
            raise Conflict("this request has started something else before")
        return run_from(row)

    async def _row(self, c: AsyncConnection, run_id: UUID) -> Any:
        return (
            await c.execute(select_runs(self._tables).where(self._tables.runs.c.id == run_id))
        ).one()

    async def _gate_of(
        self, c: AsyncConnection, scope: Scope, schedule_id: UUID | None, now: datetime
    ) -> Gate | None:
        """The gate for one more run of that schedule, if there still is one."""
        if schedule_id is None:
            return None
        try:
            schedule = await self._locked(c, scope, schedule_id)
        except NotFound:
            return None
        return await self._gate(c, schedule, now)

    async def _gate(self, c: AsyncConnection, schedule: Any, now: datetime) -> Gate | None:
        """What the overlap policy makes one more run wait for; Conflict when it allows none."""
        overlap = Overlap(schedule.overlap)
        if overlap is Overlap.ALLOW:
            return None
        opened = await open_runs(c, self._tables, schedule.id)
        if overlap is Overlap.CANCEL_RUNNING and (opened.active or opened.waiting):
            await make_way(c, self._tables, schedule.id, now)
            await self._database.notify(c, "cancel")
            opened = await open_runs(c, self._tables, schedule.id)
        return _in_line(schedule, overlap, opened) if opened.active or opened.waiting else None

    async def get(self, scope: Scope, run_id: UUID) -> Run | None:
        r = self._tables.runs
        statement = select_runs(self._tables).where(r.c.scope_key == scope.key, r.c.id == run_id)
        async with self._database.read() as c:
            row = (await c.execute(with_report(statement, self._tables))).one_or_none()
        return reported(run_from(row), row) if row else None

    async def find(self, scope: Scope, query: RunQuery) -> Page[Run]:
        return await run_page(self._database, scope, query, run_from)

    async def matching(self, scope: Scope, query: RunQuery, limit: int) -> list[UUID]:
        return await matching_runs(self._database, scope, query, limit)

    async def cancel_all(
        self, scope: Scope, run_ids: Sequence[UUID], *, now: datetime
    ) -> dict[UUID, str]:
        return await cancel_all(self._database, scope, run_ids, now)

    async def replay_all(
        self, scope: Scope, run_ids: Sequence[UUID], new: NewRun, *, now: datetime
    ) -> dict[UUID, str]:
        refused: dict[UUID, str] = {}
        for some in await portions(self._database, scope, run_ids):
            refused |= await self._twice(partial(self._replay_some, scope, some, new, now))
        return refused

    async def _replay_some(
        self, scope: Scope, run_ids: Sequence[UUID], new: NewRun, now: datetime
    ) -> dict[UUID, str]:
        refused: dict[UUID, str] = {}
        async with self._database.write() as c:
            for run_id in run_ids:
                try:
                    made = await self._replayed(c, scope, run_id, own_request(new, run_id), now)
                except (Conflict, NotPossible) as error:
                    refused[run_id] = str(error)
                else:
                    if made is None:
                        refused[run_id] = GONE
        return refused

    async def attempts(self, scope: Scope, run_id: UUID) -> list[Attempt]:
        a, r = self._tables.attempts, self._tables.runs
        statement = (
            sa.select(a)
            .join(r, r.c.id == a.c.run_id)
            .where(r.c.scope_key == scope.key, a.c.run_id == run_id)
            .order_by(a.c.attempt)
        )
        async with self._database.read() as c:
            return [_attempt(row) for row in await c.execute(statement)]

    async def cancel(self, scope: Scope, run_id: UUID, *, now: datetime) -> Run | None:
        r = self._tables.runs
        mine = (r.c.scope_key == scope.key, r.c.id == run_id)
        async with self._database.write() as c:
            await c.execute(sa.select(r.c.id).where(*mine).with_for_update())
            await cancel_queued(c, self._tables, sa.and_(*mine), "cancelled", now)
            await ask_to_stop(c, self._tables, sa.and_(*mine), now)
            await self._database.notify(c, "cancel")
            row = (await c.execute(select_runs(self._tables).where(*mine))).one_or_none()
        if row is None:
            return None
        if row.schedule_id is not None and row.status == "cancelled":
            await advance_lines(self._database, [row.schedule_id])
        return run_from(row)

    async def _locked(self, c: AsyncConnection, scope: Scope, ref: Ref) -> Any:
        """The schedule as it stays until the commit, with its cursor locked: firing and adding
        take turns, and no edit comes between.
        """
        s, cursors = self._tables.schedules, self._tables.cursors
        live = (s.c.scope_key == scope.key, s.c.deleted_at.is_(None))
        found = sa.select(s).where(*live, is_named(s, ref))
        row = (await c.execute(found.with_for_update(read=True))).one_or_none()
        if row is None:
            raise NotFound(f"there is no schedule {ref!s}")
        held = sa.select(cursors.c.schedule_id).where(cursors.c.schedule_id == row.id)
        await c.execute(held.with_for_update())
        return row

    async def _requested(
        self, c: AsyncConnection, scope: Scope, request_key: str | None
    ) -> UUID | None:
        if request_key is None:
            return None
        r = self._tables.runs
        same = sa.select(r.c.id).where(r.c.scope_key == scope.key, r.c.request_key == request_key)
        found: UUID | None = (await c.execute(same)).scalar_one_or_none()
        return found

    async def _insert(
        self,
        c: AsyncConnection,
        does: Mapping[str, Any],
        new: NewRun,
        now: datetime,
        gate: Gate | None,
    ) -> UUID:
        run_id = new_id()
        values = {
            **unstarted(now),
            **does,
            "id": run_id,
            "cause": new.cause.value,
            "own_key": f"{'r' if new.cause is Cause.REPLAY else 'm'}:{run_id}",
            "request_key": new.request_key,
            "status": "queued",
            "triggered_by": new.triggered_by,
        }
        if new.payload is not None:
            values["payload"] = new.payload
        values |= await of_its_job(
            c, self._tables, values["scope_key"], values["job_key"], values["payload"]
        )
        values["gate"] = gate or limit_gate(values)
        await c.execute(sa.insert(self._tables.runs).values(values))
        await self._database.notify(c, "ready")
        return run_id


def _of_schedule(schedule: Any) -> dict[str, Any]:
    return {
        "scope_key": schedule.scope_key,
        "schedule_id": schedule.id,
        "job_key": schedule.job_key,
        "handler": schedule.handler,
        "target": schedule.target,
        "payload": schedule.payload,
    }


def _of_work(scope: Scope, work: Work) -> dict[str, Any]:
    return {
        "scope_key": scope.key,
        "job_key": work.job_key,
        "handler": work.handler,
        "target": dict(work.target),
        "payload": {},
    }


def _of_run(old: Any) -> dict[str, Any]:
    """It stands for the same instant, so that whoever works by that does the same again."""
    return {
        "scope_key": old.scope_key,
        "schedule_id": old.schedule_id,
        "job_key": old.job_key,
        "handler": old.handler,
        "target": old.target,
        "payload": old.payload,
        "nominal_at": old.nominal_at,
        "replay_of": old.id,
    }


def _refuse_replay(old: Any) -> None:
    if old.status in OPEN_RUNS:
        raise NotPossible(f"the run is {old.status}: it has not ended")
    if old.target is None:
        raise NotPossible(f"the occurrence was {old.status}: there is no run to repeat")


def _refuse_start(schedule: Any, force: bool) -> None:
    if schedule.status == ScheduleStatus.CANCELLED:
        raise NotPossible("a cancelled schedule cannot be run")
    if not schedule.allow_manual:
        raise ManualDenied(f"the schedule {schedule.key} does not allow starts by hand")
    if schedule.status != ScheduleStatus.ACTIVE and not force:
        raise NotPossible(f"the schedule is {schedule.status}; `force` runs it nevertheless")


def _in_line(schedule: Any, overlap: Overlap, opened: OpenRuns) -> Gate:
    if overlap.serial and opened.waiting < schedule.overlap_limit:
        return Gate.OVERLAP
    raise Conflict("an earlier run of this schedule is still open")


def run_from(row: Any) -> Run:
    return Run(
        id=row.id,
        scope=Scope.from_key(row.scope_key),
        schedule_id=row.schedule_id,
        schedule_key=row.schedule_key,
        job_key=row.job_key,
        cause=Cause(row.cause),
        status=RunStatus(row.status),
        nominal_at=row.nominal_at,
        run_at=row.run_at,
        queue=row.queue,
        priority=row.priority,
        target=row.target or {},
        payload=row.payload or {},
        attempt=row.attempt,
        reason=row.reason,
        gate=Gate(row.gate) if row.gate else None,
        through_at=row.through_at,
        count=row.count,
        lost_count=row.lost_count,
        worker_id=row.worker_id,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=row.error,
        result=row.result,
        items=Items(row.items_processed, row.items_succeeded, row.items_failed),
        triggered_by=row.triggered_by,
        request_key=row.request_key,
        cancel_requested_at=row.cancel_requested_at,
        replay_of=row.replay_of,
        limit_key=row.limit_key,
    )


def _attempt(row: Any) -> Attempt:
    return Attempt(
        run_id=row.run_id,
        attempt=row.attempt,
        outcome=row.outcome,
        worker_id=row.worker_id,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=row.error,
    )
