"""Policies by job key."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from tickwright.model.change import Change
from tickwright.model.job import Job
from tickwright.model.json import dumps
from tickwright.model.scope import Scope
from tickwright.store.changes import insert_change
from tickwright.store.database import Database
from tickwright.store.policies import policy_from_text, policy_to_json


class SqlJobs:
    """The jobs contract in statements both dialects share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, scope: Scope, key: str) -> Job | None:
        t = self._database.tables.jobs
        statement = sa.select(t).where(t.c.scope_key == scope.key, t.c.key == key)
        async with self._database.read() as c:
            row = (await c.execute(statement)).one_or_none()
        if row is None:
            return None
        return Job(row.id, scope, row.key, policy_from_text(dumps(row.policy)), row.version)

    async def put(self, scope: Scope, job: Job, change: Change) -> Job:
        try:
            return await self._put(scope, job, change)
        except IntegrityError:
            # Another writer made the key first: now there is a row to replace.
            return await self._put(scope, job, change)

    async def _put(self, scope: Scope, job: Job, change: Change) -> Job:
        t = self._database.tables.jobs
        policy = {
            "queue": job.policy.queue,
            "priority": job.policy.priority,
            "policy": policy_to_json(job.policy),
        }
        theirs = (t.c.scope_key == scope.key, t.c.key == job.key)
        async with self._database.write() as c:
            found = sa.select(t.c.id, t.c.version).where(*theirs).with_for_update()
            row = (await c.execute(found)).one_or_none()
            if row is None:
                identity = {"id": job.id, "scope_key": scope.key, "key": job.key, "version": 1}
                await c.execute(sa.insert(t).values(**identity, **policy))
                stored = replace(job, version=1)
            else:
                stored = replace(job, id=row.id, version=row.version + 1)
                await c.execute(
                    sa.update(t).where(*theirs).values(version=stored.version, **policy)
                )
            noted = replace(change, resource_id=stored.id, version=stored.version)
            await insert_change(c, self._database.tables, noted)
        return stored
