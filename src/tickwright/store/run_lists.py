"""Lists of runs: filters, orders that an index or a few rows can serve, and cursors.

Invariant: no page reads more of a long history than it must. What comes next is found by where
the last page ended, and a total is counted up to a bound.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tickwright.model.errors import InvalidInput
from tickwright.model.page import Page
from tickwright.model.run import Run
from tickwright.model.scope import Scope
from tickwright.model.states import OPEN_RUNS
from tickwright.model.timestamps import from_rfc3339, to_rfc3339
from tickwright.store.database import Database
from tickwright.store.queries import RunQuery
from tickwright.store.schema import Tables

MOST_COUNTED = 10_000
ORDERS = ("createdAt", "nominalAt", "runAt", "finishedAt")
_UNENDED = datetime(9999, 1, 1, tzinfo=UTC)
Filter = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class _Order:
    """By a moment and then the id, or by the id alone, which is the moment of creation."""

    name: str
    down: bool
    moment: sa.ColumnElement[Any] | None

    @property
    def word(self) -> str:
        return f"-{self.name}" if self.down else self.name


def select_runs(t: Tables) -> sa.Select[Any]:
    """Runs with the keys of their schedules."""
    r, s = t.runs, t.schedules
    return sa.select(*r.c, s.c.key.label("schedule_key")).outerjoin(s, s.c.id == r.c.schedule_id)


async def run_page(
    database: Database, scope: Scope, query: RunQuery, read: Callable[[Any], Run]
) -> Page[Run]:
    t = database.tables
    order, filters = _order(t, query), run_filters(t, scope, query)
    statement = select_runs(t).where(*filters, *_beyond(t, order, query)).order_by(*_by(t, order))
    async with database.read() as c:
        found = await c.execute(statement.limit(query.limit + 1).offset(query.offset))
        items = [read(row) for row in found]
        more, items = len(items) > query.limit, items[: query.limit]
        total, exact = query.offset + len(items), not more and query.cursor is None
        # A page that is past the end says nothing of how many there are before it.
        if query.cursor is None and (more or not items):
            counted = int((await c.execute(_count(t, filters, query))).scalar_one())
            exact = query.schedule_id is not None or counted < MOST_COUNTED
            total = max(counted, total + more) if items else counted
    cursor = _token(order, items[-1]) if more and items else None
    return Page(items, total, query.limit, query.offset, exact, cursor)


def run_filters(t: Tables, scope: Scope, query: RunQuery) -> list[Filter]:
    """The runs of the scope that the query is about."""
    r = t.runs
    filters: list[Filter] = [r.c.scope_key == scope.key]
    if query.statuses:
        filters.append(r.c.status.in_(sorted(status.value for status in query.statuses)))
    if query.cause is not None:
        filters.append(r.c.cause == query.cause.value)
    if query.since is not None:
        filters.append(r.c.run_at >= query.since)
    if query.until is not None:
        filters.append(r.c.run_at < query.until)
    for name in ("schedule_id", "job_key", "worker_id", "queue", "replay_of"):
        if (wanted := getattr(query, name)) is not None:
            filters.append(r.c[name] == wanted)
    return filters


def _count(t: Tables, filters: list[Filter], query: RunQuery) -> sa.Select[Any]:
    """All of one schedule, which keeps so many; of a whole scope at most a bound."""
    matching = sa.select(sa.literal(1)).select_from(t.runs).where(*filters)
    if query.schedule_id is None:
        matching = matching.limit(MOST_COUNTED)
    return sa.select(sa.func.count()).select_from(matching.subquery())


def _order(t: Tables, query: RunQuery) -> _Order:
    of_one = query.schedule_id is not None
    # The occurrence index gives one schedule's runs in this order without a sort.
    word = query.order or ("-nominalAt" if of_one else "-createdAt")
    name = word.removeprefix("-")
    if name not in ORDERS:
        raise InvalidInput("sort", f"{word!r} is not one of {', '.join(ORDERS)}, or with a `-`")
    open_only = bool(query.statuses) and set(query.statuses) <= OPEN_RUNS
    if name != "createdAt" and not (of_one or open_only):
        raise InvalidInput("sort", f"by {name} needs scheduleId, or only open runs as the status")
    r = t.runs
    moments: dict[str, sa.ColumnElement[Any]] = {
        "nominalAt": r.c.nominal_at,
        "runAt": r.c.run_at,
        # What has not ended sorts as if it did so last of all.
        "finishedAt": sa.func.coalesce(
            r.c.finished_at, sa.literal(_UNENDED, r.c.finished_at.type), type_=r.c.finished_at.type
        ),
    }
    return _Order(name, word.startswith("-"), moments.get(name))


def _by(t: Tables, order: _Order) -> list[sa.ColumnElement[Any]]:
    columns = [t.runs.c.id] if order.moment is None else [order.moment, t.runs.c.id]
    return [column.desc() if order.down else column.asc() for column in columns]


def _beyond(t: Tables, order: _Order, query: RunQuery) -> list[Filter]:
    """What comes after the row that the cursor names."""
    if query.cursor is None:
        return []
    if query.offset:
        raise InvalidInput("cursor", "does not go with a page number")
    moment, run_id = _read(query.cursor, order)
    ids = t.runs.c.id
    after = ids < run_id if order.down else ids > run_id
    if order.moment is None:
        return [after]
    bound = sa.literal(moment, t.runs.c.run_at.type)
    if order.down:
        return [order.moment <= bound, sa.or_(order.moment < bound, after)]
    return [order.moment >= bound, sa.or_(order.moment > bound, after)]


def _token(order: _Order, last: Run) -> str:
    moments = {
        "createdAt": None,
        "nominalAt": last.nominal_at,
        "runAt": last.run_at,
        "finishedAt": last.finished_at or _UNENDED,
    }
    moment = moments[order.name]
    said = [order.word, moment and to_rfc3339(moment), str(last.id)]
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def _read(token: str, order: _Order) -> tuple[datetime | None, UUID]:
    try:
        padded = token + "=" * (-len(token) % 4)
        word, moment, run_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        at = None if order.moment is None else from_rfc3339("cursor", moment)
        found = UUID(run_id)
    except (ValueError, TypeError, AttributeError, RecursionError, InvalidInput):
        raise InvalidInput("cursor", "is not the nextCursor of any page") from None
    if word != order.word:
        raise InvalidInput("cursor", f"belongs to a list in the order {word}")
    return at, found
