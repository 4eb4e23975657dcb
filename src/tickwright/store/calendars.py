"""Calendars: a scope's own, and the system's that every scope reads; only one's own are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.calendar import Calendar, definition_from_json, definition_to_json
from tickwright.model.errors import Conflict
from tickwright.model.page import Page
from tickwright.model.scope import SYSTEM, Scope
from tickwright.store.base import DecideCalendar
from tickwright.store.changes import insert_change
from tickwright.store.database import Database
from tickwright.store.listing import contains, page

_RACES = 3


class SqlCalendars:
    """The calendars contract in statements both dialects share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.calendars

    async def get(self, scope: Scope, key: str) -> Calendar | None:
        return (await self.resolve(scope, [key])).get(key)

    async def resolve(self, scope: Scope, keys: Collection[str]) -> dict[str, Calendar]:
        t = self._table
        statement = sa.select(t).where(self._visible(scope), t.c.key.in_(list(keys)))
        async with self._database.read() as c:
            found = [_calendar(row) for row in await c.execute(statement)]
        shared = {each.key: each for each in found if each.scope != scope}
        return shared | {each.key: each for each in found if each.scope == scope}

    async def find(
        self, scope: Scope, limit: int, offset: int, search: str | None = None
    ) -> Page[Calendar]:
        t = self._table
        filters = [self._visible(scope)]
        if search:
            filters.append(contains(search, t.c.key))
        own_first = sa.case((t.c.scope_key == scope.key, 0), else_=1)
        statement = sa.select(t).where(*filters).order_by(t.c.key, own_first)
        total = sa.select(sa.func.count()).select_from(t).where(*filters)
        async with self._database.read() as c:
            rows, count = await page(c, statement, total, limit, offset)
        return Page([_calendar(row) for row in rows], count, limit, offset)

    async def write(self, scope: Scope, key: str, decide: DecideCalendar) -> Calendar | None:
        for _ in range(_RACES):
            try:
                async with self._database.write() as c:
                    return await self._write(c, scope, key, decide)
            except IntegrityError:
                # Another writer made the key first: now it can be read, and decided upon.
                continue
        raise Conflict(f"a calendar with the key {key!r} is being created by somebody else")

    async def _write(
        self, c: AsyncConnection, scope: Scope, key: str, decide: DecideCalendar
    ) -> Calendar | None:
        t = self._table
        own = sa.select(t).where(t.c.scope_key == scope.key, t.c.key == key).with_for_update()
        row = (await c.execute(own)).one_or_none()
        current = _calendar(row) if row else None
        edit = decide(current)
        if edit is None:
            return current
        if edit.deletes:
            await c.execute(sa.delete(t).where(t.c.id == edit.calendar.id))
        elif current is None:
            await c.execute(sa.insert(t).values(_columns(edit.calendar)))
        else:
            values = _columns(edit.calendar)
            await c.execute(sa.update(t).where(t.c.id == current.id).values(values))
        await insert_change(c, self._database.tables, edit.change)
        return edit.calendar

    def _visible(self, scope: Scope) -> sa.ColumnElement[bool]:
        return self._table.c.scope_key.in_({scope.key, SYSTEM.key})


def _columns(calendar: Calendar) -> Mapping[str, Any]:
    return {
        "id": calendar.id,
        "scope_key": calendar.scope.key,
        "key": calendar.key,
        "definition": definition_to_json(calendar.definition),
        "version": calendar.version,
    }


def _calendar(row: Any) -> Calendar:
    scope = Scope.from_key(row.scope_key)
    return Calendar(row.id, scope, row.key, definition_from_json(row.definition), row.version)
