"""Composing list queries: paging with a total, and search that takes text literally."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


def is_named(table: sa.Table, ref: UUID | str) -> sa.ColumnElement[bool]:
    """The row of that id or key; a text that is a UUID may be either."""
    if isinstance(ref, UUID):
        return table.c.id == ref
    try:
        return sa.or_(table.c.key == ref, table.c.id == UUID(ref))
    except ValueError:
        return table.c.key == ref


def contains(text: str, *columns: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Case-insensitive substring match in any of `columns`; wildcards in `text` are literal."""
    return sa.or_(*(column.icontains(text, autoescape=True) for column in columns))


async def page(
    c: AsyncConnection,
    statement: sa.Select[Any],
    total: sa.Select[Any],
    limit: int,
    offset: int,
) -> tuple[list[Any], int]:
    """The rows of one page, and how many rows there are in all."""
    rows = list(await c.execute(statement.limit(limit).offset(offset)))
    return rows, int((await c.execute(total)).scalar_one())
