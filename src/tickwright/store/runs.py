"""Runs as users see them: adding one by hand, reading, cancelling."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.errors import Conflict, NotFound, NotPossible
from tickwright.model.page import Page
from tickwright.model.plan import OpenRuns
from tickwright.model.run import Attempt, Cause, Gate, Items, Run, RunStatus
from tickwright.model.schedule import Overlap, ScheduleStatus
from tickwright.model.scope import Scope
from tickwright.store.base import NewRun, Ref, RunQuery
from tickwright.store.cancelling import ask_to_stop, cancel_queued
from tickwright.store.database import Database, new_id
from tickwright.store.listing import is_named, page
from tickwright.store.overlapping import advance_lines, make_way, open_runs
from tickwright.store.settling import queue_and_priority, unstarted


class SqlRuns:
    """The runs contract in statements both dialects share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables = database.tables

    async def add(self, scope: Scope, ref: Ref, new: NewRun, *, now: datetime) -> Run:
        try:
            return await self._add(scope, ref, new, now)
        except IntegrityError:
            # Another schedule's run took the request key first: now it can be found.
            return await self._add(scope, ref, new, now)

    async def _add(self, scope: Scope, ref: Ref, new: NewRun, now: datetime) -> Run:
        async with self._database.write() as c:
            schedule = await self._locked(c, scope, ref)
            made = await self._requested(c, scope, new.request_key)
            if made is None:
                _refuse_status(schedule, new.force)
                made = await self._made(c, schedule, new, now)
                await self._database.notify(c, "ready")
            row = (await c.execute(self._select().where(self._tables.runs.c.id == made))).one()
        if row.schedule_id != schedule.id:
            raise Conflict("this request has started another schedule before")
        return run_from(row)

    async def _made(self, c: AsyncConnection, schedule: Any, new: NewRun, now: datetime) -> UUID:
        """A new run, as the overlap policy of its schedule has it: at once, in line, or not."""
        overlap = Overlap(schedule.overlap)
        gate = None
        if overlap is not Overlap.ALLOW:
            opened = await open_runs(c, self._tables, schedule.id)
            if overlap is Overlap.CANCEL_RUNNING and (opened.active or opened.waiting):
                await make_way(c, self._tables, schedule.id, now)
                opened = await open_runs(c, self._tables, schedule.id)
            if opened.active or opened.waiting:
                gate = _in_line(schedule, overlap, opened)
        made = new_id()
        await self._insert(c, made, schedule, new, now, gate)
        if overlap is Overlap.CANCEL_RUNNING:
            await self._database.notify(c, "cancel")
        return made

    async def get(self, scope: Scope, run_id: UUID) -> Run | None:
        r = self._tables.runs
        statement = self._select().where(r.c.scope_key == scope.key, r.c.id == run_id)
        async with self._database.read() as c:
            row = (await c.execute(statement)).one_or_none()
        return run_from(row) if row else None

    async def find(self, scope: Scope, query: RunQuery) -> Page[Run]:
        r = self._tables.runs
        filters = self._filters(scope, query)
        order = r.c.id.desc()
        if query.schedule_id is not None:
            # The occurrence index gives one schedule's runs in this order without a sort.
            statement = self._select().where(*filters).order_by(r.c.nominal_at.desc(), order)
        else:
            statement = self._select().where(*filters).order_by(order)
        total = sa.select(sa.func.count()).select_from(r).where(*filters)
        async with self._database.read() as c:
            rows, count = await page(c, statement, total, query.limit, query.offset)
        return Page([run_from(row) for row in rows], count, query.limit, query.offset)

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
            row = (await c.execute(self._select().where(*mine))).one_or_none()
        if row is None:
            return None
        if row.schedule_id is not None and row.status == "cancelled":
            await self._advance_line(row.schedule_id)
        return run_from(row)

    async def _advance_line(self, schedule_id: UUID) -> None:
        """After the commit: cursors are locked before runs everywhere."""
        async with self._database.write() as c:
            if await advance_lines(c, self._tables, [schedule_id]):
                await self._database.notify(c, "ready")

    def _select(self) -> sa.Select[Any]:
        r, s = self._tables.runs, self._tables.schedules
        return sa.select(*r.c, s.c.key.label("schedule_key")).outerjoin(
            s, s.c.id == r.c.schedule_id
        )

    def _filters(self, scope: Scope, query: RunQuery) -> list[sa.ColumnElement[bool]]:
        r = self._tables.runs
        filters: list[sa.ColumnElement[bool]] = [r.c.scope_key == scope.key]
        if query.schedule_id is not None:
            filters.append(r.c.schedule_id == query.schedule_id)
        if query.statuses:
            filters.append(r.c.status.in_([status.value for status in query.statuses]))
        if query.job_key is not None:
            filters.append(r.c.job_key == query.job_key)
        if query.worker_id is not None:
            filters.append(r.c.worker_id == query.worker_id)
        if query.since is not None:
            filters.append(r.c.run_at >= query.since)
        if query.until is not None:
            filters.append(r.c.run_at < query.until)
        return filters

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
        run_id: UUID,
        schedule: Any,
        new: NewRun,
        now: datetime,
        gate: Gate | None,
    ) -> None:
        values = {
            "id": run_id,
            "scope_key": schedule.scope_key,
            "schedule_id": schedule.id,
            "job_key": schedule.job_key,
            "handler": schedule.handler,
            "cause": new.cause.value,
            "own_key": f"m:{run_id}",
            "request_key": new.request_key,
            "status": "queued",
            "gate": gate,
            "target": schedule.target,
            "payload": schedule.payload if new.payload is None else new.payload,
            "triggered_by": new.triggered_by,
            **unstarted(now),
            **await queue_and_priority(c, self._tables, schedule.scope_key, schedule.job_key),
        }
        await c.execute(sa.insert(self._tables.runs).values(values))


def _refuse_status(schedule: Any, force: bool) -> None:
    if schedule.status == ScheduleStatus.CANCELLED:
        raise NotPossible("a cancelled schedule cannot be run")
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
