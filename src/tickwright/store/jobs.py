"""Jobs: read under lock, decide, write the policy and its change together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.errors import Conflict
from tickwright.model.job import DEFAULT_POLICY, Job, policy_from_json, policy_to_json
from tickwright.model.page import Page
from tickwright.model.scope import Scope
from tickwright.store.base import DecideJob
from tickwright.store.changes import insert_change
from tickwright.store.database import Database
from tickwright.store.limits import mark_limited
from tickwright.store.listing import contains, page

_RACES = 3


class SqlJobs:
    """The jobs contract in statements both dialects share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.jobs

    async def get(self, scope: Scope, key: str) -> Job | None:
        async with self._database.read() as c:
            row = (await c.execute(self._one(scope, key))).one_or_none()
        return _job(row) if row else None

    async def find(
        self, scope: Scope, limit: int, offset: int, search: str | None = None
    ) -> Page[Job]:
        t = self._table
        filters = [t.c.scope_key == scope.key]
        if search:
            filters.append(contains(search, t.c.key))
        statement = sa.select(t).where(*filters).order_by(t.c.key)
        total = sa.select(sa.func.count()).select_from(t).where(*filters)
        async with self._database.read() as c:
            rows, count = await page(c, statement, total, limit, offset)
        return Page([_job(row) for row in rows], count, limit, offset)

    async def write(self, scope: Scope, key: str, decide: DecideJob) -> Job | None:
        for _ in range(_RACES):
            try:
                async with self._database.write() as c:
                    return await self._write(c, scope, key, decide)
            except IntegrityError:
                # Another writer made the key first: now it can be read, and decided upon.
                continue
        raise Conflict(f"a job with the key {key!r} is being created by somebody else")

    async def _write(
        self, c: AsyncConnection, scope: Scope, key: str, decide: DecideJob
    ) -> Job | None:
        row = (await c.execute(self._one(scope, key).with_for_update())).one_or_none()
        current = _job(row) if row else None
        edit = decide(current)
        if edit is None:
            return current
        t = self._table
        if edit.deletes:
            await c.execute(sa.delete(t).where(t.c.id == edit.job.id))
        elif current is None:
            await c.execute(sa.insert(t).values(_columns(edit.job)))
        else:
            await c.execute(sa.update(t).where(t.c.id == current.id).values(_columns(edit.job)))
        await insert_change(c, self._database.tables, edit.change)
        before = DEFAULT_POLICY if current is None else current.policy
        after = DEFAULT_POLICY if edit.deletes else edit.job.policy
        if before.limited or after.limited:
            await mark_limited(c, self._database.tables, scope, key, before, after)
            await self._database.notify(c, "ready")
        return edit.job

    def _one(self, scope: Scope, key: str) -> sa.Select[Any]:
        t = self._table
        return sa.select(t).where(t.c.scope_key == scope.key, t.c.key == key)


def _columns(job: Job) -> Mapping[str, Any]:
    return {
        "id": job.id,
        "scope_key": job.scope.key,
        "key": job.key,
        "queue": job.policy.queue,
        "priority": job.policy.priority,
        "policy": policy_to_json(job.policy),
        "version": job.version,
        "sla_start_ms": _milliseconds(job.policy.sla_start),
        "keep_for_ms": _milliseconds(job.policy.keep_for),
        "keep_last": job.policy.keep_last,
    }


def _milliseconds(duration: timedelta | None) -> int | None:
    """Rounded up, so that what is not nothing does not become so."""
    return None if duration is None else -(-duration // timedelta(milliseconds=1))


def _job(row: Any) -> Job:
    scope = Scope.from_key(row.scope_key)
    return Job(row.id, scope, row.key, policy_from_json(row.policy), row.version)
