"""The audit trail: appended in the transaction of the change itself, never updated."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.change import Change
from tickwright.model.page import Page
from tickwright.model.scope import Scope
from tickwright.store.database import Database, new_id
from tickwright.store.listing import page
from tickwright.store.schema import Tables


async def insert_change(c: AsyncConnection, tables: Tables, change: Change) -> None:
    values = {
        "id": change.id or new_id(),
        "scope_key": change.scope.key,
        "at": change.at,
        "actor": change.actor,
        "action": change.action,
        "resource": change.resource,
        "resource_id": change.resource_id,
        "resource_key": change.resource_key,
        "reason": change.reason,
        "before": change.before and dict(change.before),
        "after": change.after and dict(change.after),
        "version": change.version,
    }
    await c.execute(sa.insert(tables.changes).values(values))


class SqlChanges:
    """Reading the audit trail, newest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self, scope: Scope, limit: int, offset: int, resource_id: UUID | None = None
    ) -> Page[Change]:
        t = self._database.tables.changes
        filters = [t.c.scope_key == scope.key]
        if resource_id is not None:
            filters.append(t.c.resource_id == resource_id)
        statement = sa.select(t).where(*filters).order_by(t.c.id.desc())
        total = sa.select(sa.func.count()).select_from(t).where(*filters)
        async with self._database.read() as c:
            rows, count = await page(c, statement, total, limit, offset)
        return Page([_change(row) for row in rows], count, limit, offset)


def _change(row: Any) -> Change:
    return Change(
        scope=Scope.from_key(row.scope_key),
        at=row.at,
        action=row.action,
        resource=row.resource,
        resource_id=row.resource_id,
        resource_key=row.resource_key,
        actor=row.actor,
        reason=row.reason,
        before=row.before,
        after=row.after,
        version=row.version,
        id=row.id,
    )
