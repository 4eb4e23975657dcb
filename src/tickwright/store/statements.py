"""Statements that differ by dialect: the named ones of its `hot.sql`, and upserts."""

from __future__ import annotations

import re
from importlib.resources import files

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(package: str) -> dict[str, str]:
    """Name to SQL text, from `hot.sql` in `package`; each starts with a `-- name:` line."""
    text = files(package).joinpath("hot.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def inserting(c: AsyncConnection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that may say ON CONFLICT, which both dialects do in the same words."""
    return postgresql.insert(table) if c.dialect.name == "postgresql" else sqlite.insert(table)
