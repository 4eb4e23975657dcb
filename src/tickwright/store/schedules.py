"""Schedules: read under lock, decide, write configuration, cursor and change together."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.errors import Conflict, InvalidInput
from tickwright.model.page import Page
from tickwright.model.schedule import (
    Cursor,
    Misfire,
    Overlap,
    Schedule,
    ScheduleStatus,
    Stats,
)
from tickwright.model.scope import Scope
from tickwright.model.timing import Timing
from tickwright.store.answers import DayStats
from tickwright.store.base import Decide, Edit, MoveCursor, Ref, Settle
from tickwright.store.cancelling import cancel_queued
from tickwright.store.changes import insert_change
from tickwright.store.database import Database
from tickwright.store.listing import contains, is_named, page
from tickwright.store.queries import ScheduleQuery
from tickwright.store.settling import settled

_RACES = 3


class SqlSchedules:
    """The schedules contract in statements both dialects share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables = database.tables
        self._orders = {
            "createdAt": self._tables.schedules.c.id,
            "key": self._tables.schedules.c.key,
            "name": self._tables.schedules.c.name,
            "nextRunAt": self._tables.cursors.c.next_run_at,
            "lastRunAt": self._tables.stats.c.last_run_at,
        }

    async def write(
        self,
        scope: Scope,
        ref: Ref,
        decide: Decide,
        *,
        settle: Settle | None = None,
        connection: AsyncConnection | None = None,
    ) -> Schedule | None:
        for _ in range(_RACES):
            try:
                async with self._database.write(connection) as c:
                    return await self._write(c, scope, ref, decide, settle)
            except IntegrityError:
                # Another writer made the key first: now it can be read, and decided upon.
                if connection is not None:
                    break
        raise Conflict(f"a schedule with the key {ref!r} is being created by somebody else")

    async def _write(
        self, c: AsyncConnection, scope: Scope, ref: Ref, decide: Decide, settle: Settle | None
    ) -> Schedule | None:
        current = await self._locked(c, scope, ref)
        if current is not None and settle is not None:
            current = await self._settle(c, current, settle)
        edit = decide(current)
        if edit is None:
            return current
        await (self._update if current else self._insert)(c, edit.schedule)
        after = edit.schedule
        if current is not None and current.status is not after.status:
            after = await self._circuit_closed(c, after)
        await insert_change(c, self._tables, edit.change)
        if edit.cancel_queued:
            await self._cancel_queued(c, edit)
        await self._database.notify(c, "due")
        return after

    async def _settle(self, c: AsyncConnection, current: Schedule, by: Settle) -> Schedule:
        after = await settled(c, self._tables, current, by)
        if after is not current:
            await self._move(c, after)
            await self._database.notify(c, "ready")
        return after

    async def get(self, scope: Scope, ref: Ref) -> Schedule | None:
        async with self._database.read() as c:
            row = (await c.execute(self._select().where(*self._is(scope, ref)))).one_or_none()
        return schedule_from(row) if row else None

    async def find(self, scope: Scope, query: ScheduleQuery) -> Page[Schedule]:
        found, total = await self._page(scope, query)
        return Page([schedule_from(row) for row in found], total, query.limit, query.offset)

    async def armed(self, scope: Scope) -> dict[str, datetime]:
        s, c = self._tables.schedules, self._tables.cursors
        statement = (
            sa.select(s.c.key, c.c.next_run_at)
            .join(c, c.c.schedule_id == s.c.id)
            .where(s.c.scope_key == scope.key, s.c.deleted_at.is_(None))
            .where(c.c.next_run_at.is_not(None))
        )
        async with self._database.read() as connection:
            return {row.key: row.next_run_at for row in await connection.execute(statement)}

    async def days(self, scope: Scope, schedule_id: UUID, since: date) -> list[DayStats]:
        d, s = self._tables.days, self._tables.schedules
        statement = (
            sa.select(d)
            .join(s, s.c.id == d.c.schedule_id)
            .where(s.c.scope_key == scope.key, d.c.schedule_id == schedule_id, d.c.day >= since)
            .order_by(d.c.day)
        )
        async with self._database.read() as connection:
            return [_day(row) for row in await connection.execute(statement)]

    async def move(self, scope: Scope, ref: Ref, decide: MoveCursor) -> Schedule | None:
        async with self._database.write() as c:
            current = await self._locked(c, scope, ref)
            cursor = None if current is None else decide(current)
            if current is None or cursor is None:
                return None
            after = replace(current, cursor=cursor)
            await self._move(c, after)
            await self._database.notify(c, "due")
        return after

    async def timed(self, after: UUID, limit: int, scope: Scope | None) -> list[Schedule]:
        s = self._tables.schedules
        mine: list[sa.ColumnElement[bool]] = [
            s.c.id > after,
            s.c.deleted_at.is_(None),
            s.c.timing.is_not(None),
        ]
        if scope is not None:
            mine.append(s.c.scope_key == scope.key)
        statement = self._select().where(*mine).order_by(s.c.id).limit(limit)
        async with self._database.read() as c:
            return [schedule_from(row) for row in await c.execute(statement)]

    async def tripped(self, limit: int) -> list[tuple[Scope, UUID]]:
        s, t = self._tables.schedules, self._tables.stats
        statement = (
            sa.select(s.c.scope_key, s.c.id)
            .join(t, t.c.schedule_id == s.c.id)
            .where(sa.text("tripped_at IS NOT NULL"), s.c.deleted_at.is_(None))
            .where(s.c.status == ScheduleStatus.ACTIVE.value)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(statement)
            return [(Scope.from_key(row.scope_key), row.id) for row in rows]

    async def count(self) -> int:
        s = self._tables.schedules
        statement = sa.select(sa.func.count()).select_from(s).where(s.c.deleted_at.is_(None))
        async with self._database.read() as connection:
            return int((await connection.execute(statement)).scalar_one())

    def _select(self) -> sa.Select[Any]:
        s, c, t = self._tables.schedules, self._tables.cursors, self._tables.stats
        counters = [column for column in (*c.c, *t.c) if column.name != "schedule_id"]
        return (
            sa.select(*s.c, *counters)
            .join(c, c.c.schedule_id == s.c.id)
            .outerjoin(t, t.c.schedule_id == s.c.id)
        )

    def _is(self, scope: Scope, ref: Ref) -> tuple[sa.ColumnElement[bool], ...]:
        s = self._tables.schedules
        return (s.c.scope_key == scope.key, s.c.deleted_at.is_(None), is_named(s, ref))

    async def _locked(self, c: AsyncConnection, scope: Scope, ref: Ref) -> Schedule | None:
        """Lock the schedule, then its cursor; only then is what they say read."""
        s, cursors = self._tables.schedules, self._tables.cursors
        lock = sa.select(s.c.id).where(*self._is(scope, ref)).with_for_update()
        schedule_id = (await c.execute(lock)).scalar_one_or_none()
        if schedule_id is None:
            return None
        held = sa.select(cursors.c.schedule_id).where(cursors.c.schedule_id == schedule_id)
        await c.execute(held.with_for_update())
        row = (await c.execute(self._select().where(s.c.id == schedule_id))).one()
        return schedule_from(row)

    async def _insert(self, c: AsyncConnection, schedule: Schedule) -> None:
        await c.execute(sa.insert(self._tables.schedules).values(_columns(schedule)))
        cursor = {"schedule_id": schedule.id, **_cursor_columns(schedule.cursor)}
        await c.execute(sa.insert(self._tables.cursors).values(cursor))

    async def _update(self, c: AsyncConnection, schedule: Schedule) -> None:
        s = self._tables.schedules
        await c.execute(sa.update(s).where(s.c.id == schedule.id).values(_columns(schedule)))
        await self._move(c, schedule)

    async def _move(self, c: AsyncConnection, schedule: Schedule) -> None:
        cursors = self._tables.cursors
        moved = sa.update(cursors).where(cursors.c.schedule_id == schedule.id)
        await c.execute(moved.values(_cursor_columns(schedule.cursor)))

    async def _circuit_closed(self, c: AsyncConnection, schedule: Schedule) -> Schedule:
        """It takes as many failures as ever from here on."""
        t = self._tables.stats
        none: dict[str, Any] = {"circuit_streak": 0, "tripped_at": None}
        await c.execute(sa.update(t).where(t.c.schedule_id == schedule.id).values(none))
        return replace(schedule, stats=replace(schedule.stats, **none))

    async def _cancel_queued(self, c: AsyncConnection, edit: Edit) -> None:
        queued = self._tables.runs.c.schedule_id == edit.schedule.id
        reason = f"schedule {edit.change.action}"
        await cancel_queued(c, self._tables, queued, reason, edit.change.at)

    async def _page(self, scope: Scope, query: ScheduleQuery) -> tuple[list[Any], int]:
        s = self._tables.schedules
        filters = [s.c.scope_key == scope.key, s.c.deleted_at.is_(None)]
        if query.status is not None:
            filters.append(s.c.status == query.status.value)
        if query.job_key is not None:
            filters.append(s.c.job_key == query.job_key)
        if query.category is not None:
            filters.append(s.c.category == query.category)
        if query.search:
            filters.append(contains(query.search, s.c.key, s.c.name, s.c.description))
        statement = self._select().where(*filters).order_by(*self._order(query.order))
        total = sa.select(sa.func.count()).select_from(s).where(*filters)
        async with self._database.read() as c:
            return await page(c, statement, total, query.limit, query.offset)

    def _order(self, order: str) -> list[sa.ColumnElement[Any]]:
        column = self._orders.get(order.removeprefix("-"))
        if column is None:
            raise InvalidInput("sort", f"{order!r} is not one of {', '.join(self._orders)}")
        down = order.startswith("-")
        ties = self._tables.schedules.c.id
        directed = column.desc() if down else column.asc()
        # An index runs backwards with its nulls first: where there are none it must not be asked.
        placed = directed.nulls_last() if column.nullable else directed
        return [placed, ties.desc() if down else ties.asc()]


def _columns(schedule: Schedule) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "scope_key": schedule.scope.key,
        "key": schedule.key,
        "job_key": schedule.job_key,
        "trigger": dict(schedule.trigger),
        "target": dict(schedule.target),
        "payload": dict(schedule.payload),
        "handler": schedule.handler,
        "starts_at": schedule.starts_at,
        "ends_at": schedule.ends_at,
        "max_runs": schedule.max_runs,
        "misfire": schedule.misfire.value,
        "overlap": schedule.overlap.value,
        "overlap_limit": schedule.overlap_limit,
        "timing": schedule.timing and schedule.timing.stored(),
        "allow_manual": schedule.allow_manual,
        "status": schedule.status.value,
        "status_reason": schedule.status_reason,
        "name": schedule.name,
        "description": schedule.description,
        "category": schedule.category,
        "source": schedule.source,
        "created_by": schedule.created_by,
        "metadata": dict(schedule.metadata),
        "registered": dict(schedule.registered),
        "override": dict(schedule.override),
        "version": schedule.version,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
        "deleted_at": schedule.deleted_at,
    }


def _cursor_columns(cursor: Cursor) -> dict[str, Any]:
    return {
        "next_run_at": cursor.next_run_at,
        "decided_through": cursor.decided_through,
        "fired_count": cursor.fired_count,
        "spent": cursor.spent,
        "parked": cursor.parked,
        "next_nominal": cursor.next_nominal,
    }


def schedule_from(row: Any) -> Schedule:
    schedule = Schedule(
        id=row.id,
        scope=Scope.from_key(row.scope_key),
        key=row.key,
        job_key=row.job_key,
        trigger=row.trigger,
        target=row.target,
        payload=row.payload,
        created_at=row.created_at,
        updated_at=row.updated_at,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        max_runs=row.max_runs,
        misfire=Misfire(row.misfire),
        overlap=Overlap(row.overlap),
        overlap_limit=row.overlap_limit,
        timing=Timing.from_stored(row.timing) if row.timing else None,
        allow_manual=row.allow_manual,
        status=ScheduleStatus(row.status),
        status_reason=row.status_reason,
        name=row.name,
        description=row.description,
        category=row.category,
        source=row.source,
        created_by=row.created_by,
        metadata=row.metadata,
        registered=row.registered,
        override=row.override,
        version=row.version,
        deleted_at=row.deleted_at,
    )
    return replace(schedule, cursor=_cursor(row), stats=_stats(row))


def _cursor(row: Any) -> Cursor:
    return Cursor(
        next_run_at=row.next_run_at,
        decided_through=row.decided_through,
        fired_count=row.fired_count,
        spent=row.spent,
        parked=row.parked,
        next_nominal=row.next_nominal,
    )


def _stats(row: Any) -> Stats:
    if row.run_count is None:
        return Stats()
    duration = row.last_duration_ms
    return Stats(
        run_count=row.run_count,
        success_count=row.success_count,
        failure_count=row.failure_count,
        failure_streak=row.failure_streak,
        last_run_at=row.last_run_at,
        last_success_at=row.last_success_at,
        last_status=row.last_status,
        last_duration=None if duration is None else timedelta(milliseconds=duration),
        circuit_streak=row.circuit_streak,
        tripped_at=row.tripped_at,
    )


def _day(row: Any) -> DayStats:
    return DayStats(
        day=row.day,
        succeeded=row.succeeded,
        failed=row.failed,
        cancelled=row.cancelled,
        duration=timedelta(milliseconds=row.duration_ms),
        items_processed=row.items_processed,
        items_succeeded=row.items_succeeded,
        items_failed=row.items_failed,
    )
