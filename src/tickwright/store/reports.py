"""What runs tell while they run: one row an attempt, and the lines of its log.

Invariant: of two workers that report one attempt, the row and the lines of the later stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.report import Level, LogLine, LogPage, Report
from tickwright.model.run import Items, Progress, Run, RunStatus
from tickwright.model.scope import Scope
from tickwright.store.database import Database
from tickwright.store.queries import LogQuery
from tickwright.store.schema import Tables
from tickwright.store.statements import inserting


class SqlReports:
    """Both contracts of reports, in statements both dialects share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables = database.tables

    async def save(self, reports: Sequence[Report]) -> list[Report]:
        if not reports:
            return []
        async with self._database.write() as c:
            accepted = await self._accepted(c, reports)
            if accepted:
                await self._put(c, accepted)
                await self._append(c, accepted)
        return accepted

    async def _accepted(self, c: AsyncConnection, reports: Sequence[Report]) -> list[Report]:
        """Those of runs that are still theirs.

        The rows are not locked for it: should one be lost just now, then what follows leaves
        alone what its next owner writes.
        """
        r = self._tables.runs
        asked = sa.select(r.c.id, r.c.attempt, r.c.lease_token).where(
            r.c.id.in_([each.run_id for each in reports]), r.c.status == RunStatus.RUNNING.value
        )
        running = {(row.id, row.attempt, row.lease_token) for row in await c.execute(asked)}
        return [
            each for each in reports if (each.run_id, each.attempt, each.lease_token) in running
        ]

    async def _put(self, c: AsyncConnection, reports: list[Report]) -> None:
        t = self._tables.reports
        insert = inserting(c, t)
        own = {each.name: insert.excluded[each.name] for each in t.c if not each.primary_key}
        upsert = insert.on_conflict_do_update(
            index_elements=["run_id", "attempt"],
            set_=own,
            where=t.c.lease_token <= insert.excluded.lease_token,
        )
        # In one order, so that two workers that report the same runs do not wait in a circle.
        rows = [_row(each) for each in sorted(reports, key=lambda each: each.run_id)]
        await c.execute(upsert, rows)

    async def _append(self, c: AsyncConnection, reports: list[Report]) -> None:
        t = self._tables.logs
        lines = [_line_row(each.run_id, line) for each in reports for line in each.lines]
        if lines:
            again = inserting(c, t).on_conflict_do_nothing(index_elements=["run_id", "seq"])
            await c.execute(again, lines)
        over = [each for each in reports if each.keep_from is not None]
        if over:
            old = sa.delete(t).where(
                t.c.run_id == sa.bindparam("of"),
                t.c.attempt == sa.bindparam("tried"),
                t.c.seq < sa.bindparam("kept"),
            )
            rows = [{"of": e.run_id, "tried": e.attempt, "kept": e.keep_from} for e in over]
            await c.execute(old, rows)

    async def lines(self, scope: Scope, run_id: UUID, query: LogQuery) -> LogPage:
        r, t, told = self._tables.runs, self._tables.logs, self._tables.reports
        mine = sa.exists().where(r.c.id == run_id, r.c.scope_key == scope.key)
        found = sa.select(t).where(mine, t.c.run_id == run_id).limit(query.limit)
        dropped = sa.select(sa.func.sum(told.c.lines_dropped)).where(mine, told.c.run_id == run_id)
        if query.attempt is not None:
            found = found.where(t.c.attempt == query.attempt)
            dropped = dropped.where(told.c.attempt == query.attempt)
        if query.newest:
            found = found.order_by(t.c.seq.desc())
        else:
            found = found.where(t.c.seq > query.after).order_by(t.c.seq)
        async with self._database.read() as c:
            rows = (await c.execute(found)).all()
            lost = (await c.execute(dropped)).scalar_one()
        lines = [_line(row) for row in rows]
        return LogPage(lines[::-1] if query.newest else lines, int(lost or 0))


def with_report(statement: sa.Select[Any], t: Tables) -> sa.Select[Any]:
    """Runs, each with what its newest try told."""
    told = t.reports
    theirs = sa.and_(told.c.run_id == t.runs.c.id, told.c.lease_token == t.runs.c.lease_token)
    columns = [column.label(f"told_{column.name}") for column in told.c]
    return statement.add_columns(*columns).outerjoin(told, theirs)


def reported(run: Run, row: Any) -> Run:
    """`run` with the report in its row; of one that runs the items are what it told so far."""
    if row.told_done is not None:
        done, total = _number(row.told_done), _number(row.told_total)
        progress = Progress(done, total, row.told_message, row.told_told_at)
        run = replace(run, progress=progress)
    if run.status is RunStatus.RUNNING and row.told_processed is not None:
        told = Items(row.told_processed, row.told_succeeded, row.told_failed)
        run = replace(run, items=told)
    return run


def _number(value: float | None) -> Any:
    """Whole numbers as such: they are what is counted most."""
    return int(value) if value is not None and value.is_integer() else value


def _row(report: Report) -> dict[str, Any]:
    progress, items = report.progress, report.items
    return {
        "run_id": report.run_id,
        "attempt": report.attempt,
        "lease_token": report.lease_token,
        "done": progress and progress.done,
        "total": progress and progress.total,
        "message": progress and progress.message,
        "told_at": progress and progress.at,
        "processed": items and items.processed,
        "succeeded": items and items.succeeded,
        "failed": items and items.failed,
        "lines_dropped": report.dropped,
    }


def _line_row(run_id: UUID, line: LogLine) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "seq": line.seq,
        "attempt": line.attempt,
        "at": line.at,
        "level": line.level.value,
        "logger": line.logger,
        "text": line.text,
    }


def _line(row: Any) -> LogLine:
    return LogLine(row.seq, row.attempt, row.at, Level(row.level), row.text, row.logger)
