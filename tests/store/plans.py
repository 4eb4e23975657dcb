"""A filled PostgreSQL, and what its planner makes of statements the store really sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

Args = tuple[Any, ...]
_LEFT_OUT = ("SELECT count(", "SELECT pg_notify", "INSERT")
LARGE = ("runs", "schedules", "schedule_cursors", "schedule_stats", "run_days")
SCHEDULES, RUNS, WORKERS, TENANTS = 100_000, 200_000, 5, 20

_SCHEDULES = """
INSERT INTO tickwright.schedules (
  id, scope_key, key, job_key, trigger, target, payload, handler, misfire, overlap, status, source,
  metadata, registered, override, version, created_at, updated_at
)
SELECT lpad(to_hex(n), 32, '0')::uuid, 't' || n % $1::int, 'key-' || n, 'job-' || n % 50,
       '{"type": "interval", "every": "1h", "anchor": "2040-01-01T00:00:00Z"}',
       '{"type": "handler", "name": "work"}', '{"n": 1}', 'work', 'fire_once', 'skip', 'active',
       'user', '{}', '{}', '{}', 1, $3::timestamptz, $3::timestamptz
FROM generate_series(1, $2::int) n
"""
_CURSORS = """
INSERT INTO tickwright.schedule_cursors (schedule_id, next_run_at, fired_count, spent)
SELECT lpad(to_hex(n), 32, '0')::uuid, $2::timestamptz + (n - 300) * interval '1 second', 1,
       n % 5000 = 0
FROM generate_series(1, $1::int) n
"""
# Of a thousand runs fifty are ready, five wait for a time, two in line, and five are under way.
_RUNS = """
INSERT INTO tickwright.runs (
  id, scope_key, schedule_id, job_key, queue, priority, handler, cause, own_key, status, gate,
  nominal_at, count, run_at, target, payload, attempt, lost_count, worker_id, lease_token,
  started_at, finished_at, items_processed, items_succeeded, items_failed
)
SELECT lpad(to_hex(n), 32, '0')::uuid, 't' || owner % $1::int, lpad(to_hex(owner), 32, '0')::uuid,
       'job-' || owner % 50, 'default', 5, 'work', 'schedule', '', status,
       CASE WHEN part BETWEEN 50 AND 54 THEN 'time' WHEN part BETWEEN 55 AND 56 THEN 'overlap' END,
       at, 1, at, '{"type": "handler", "name": "work"}', '{"n": 1}', 1, 0,
       CASE WHEN part > 56 THEN lpad(to_hex(n % $5::int), 32, '0')::uuid END, 1,
       CASE WHEN part > 61 THEN at END, CASE WHEN part > 61 THEN at END, 0, 0, 0
FROM (
  SELECT n, n % 1000 AS part, 1 + n % $2::int AS owner,
         $4::timestamptz - ($3::int - n) * interval '1 second' AS at,
         CASE WHEN n % 1000 < 57 THEN 'queued' WHEN n % 1000 < 62 THEN 'running'
              WHEN n % 1000 = 999 THEN 'failed' ELSE 'succeeded' END AS status
  FROM generate_series(1, $3::int) n
) made
"""
_WORKERS = """
INSERT INTO tickwright.workers (
  id, name, host, pid, version, queues, handlers, slots, running, status, started_at,
  heartbeat_at, lease_until
)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'w', 'h', 1, '0', '["default"]', '["work"]', 10, 0, 'online',
       $2::timestamptz, $2::timestamptz,
       $2::timestamptz + (CASE WHEN n = 0 THEN -1 ELSE 1 END) * interval '1 minute'
FROM generate_series(0, $1::int - 1) n
"""
_STATS = """
INSERT INTO tickwright.schedule_stats (
  schedule_id, run_count, success_count, failure_count, failure_streak, last_run_at
)
SELECT schedule_id, 1, 1, 0, 0, next_run_at FROM tickwright.schedule_cursors
"""
_DAYS = """
INSERT INTO tickwright.run_days
SELECT schedule_id, '2040-01-01', 1, 0, 0, 1, 0, 0, 0 FROM tickwright.schedule_cursors
"""


_IS_OPEN = "WHERE status IN ('queued', 'running')"
_OPEN = f"SELECT id, status, gate FROM tickwright.runs {_IS_OPEN}"


def numbered(n: int) -> UUID:
    return UUID(int=n)


async def fill(c: Any, now: datetime, *, analysed: str) -> None:
    """A large installation with a backlog, three hundred schedules due and one worker lost.

    It was `analysed` when it was as `busy`, or while it was `idle`.
    """
    await c.execute(_SCHEDULES, TENANTS, SCHEDULES, now)
    await c.execute(_CURSORS, SCHEDULES, now)
    await c.execute("ALTER TABLE tickwright.runs SET (autovacuum_enabled = false)")
    await c.execute(_RUNS, TENANTS, SCHEDULES, RUNS, now, WORKERS)
    await c.execute(_WORKERS, WORKERS, now)
    await c.execute(_STATS)
    await c.execute(_DAYS)
    if analysed == "idle":
        await c.execute(f"CREATE TEMPORARY TABLE opened AS {_OPEN}")
        await c.execute(f"UPDATE tickwright.runs SET status = 'succeeded', gate = NULL {_IS_OPEN}")
        await c.execute("VACUUM ANALYZE")
        await c.execute(
            "UPDATE tickwright.runs r SET status = o.status, gate = o.gate"
            " FROM opened o WHERE o.id = r.id"
        )
    else:
        await c.execute("ANALYZE")


@dataclass
class Plan:
    """What one statement did: its tree, as PostgreSQL told it, and whether it was compiled."""

    sql: str
    root: dict[str, Any]
    compiled: bool

    def nodes(self) -> Iterator[dict[str, Any]]:
        todo = [self.root]
        while todo:
            node = todo.pop()
            yield node
            todo += node.get("Plans", [])

    @property
    def tree(self) -> str:
        return f"{self.sql}\n{json.dumps(self.root, indent=1)}"

    @property
    def indexes(self) -> set[str]:
        return {node["Index Name"] for node in self.nodes() if "Index Name" in node}

    @property
    def scanned(self) -> list[str]:
        """Large tables that were read from end to end."""
        read = (n for n in self.nodes() if n["Node Type"] == "Seq Scan")
        return [node["Relation Name"] for node in read if node["Relation Name"] in LARGE]

    @property
    def read(self) -> int:
        """Most rows of a large table that one node touched, kept or not."""
        return max((_touched(n) for n in self.nodes() if _is_large(n)), default=0)


def _is_large(node: dict[str, Any]) -> bool:
    return node.get("Relation Name") in LARGE


def _touched(node: dict[str, Any]) -> int:
    if node["Node Type"] == "ModifyTable":
        return 0
    dropped = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    rows = node["Actual Rows"] + sum(node.get(name, 0) for name in dropped)
    return int(rows * node["Actual Loops"])


@dataclass
class Explaining:
    """Stands in for the connection: statements are explained instead, and nothing stays changed.

    After five times PostgreSQL may stop looking at what a statement is given, and plan it for
    anything. A `hot` one has to bear that; others are asked as often as it takes.
    """

    connection: Any
    hot: bool = True
    plans: list[Plan] = field(default_factory=list)

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        await self._explain(sql, args)
        return []

    async def fetchval(self, sql: str, *args: Any) -> int:
        await self._explain(sql, args)
        return 0

    async def execute(self, sql: str, *args: Any) -> str:
        await self._explain(sql, args)
        return "DONE 0"

    async def _explain(self, sql: str, args: Args) -> None:
        given = f"({', '.join(_literal(arg) for arg in args)})" if args else ""
        await self.connection.execute(f"PREPARE explained AS {sql}")
        modes = ("custom", "generic") if self.hot else ("as it is",) * 7
        for mode in modes:
            await self.connection.execute("SAVEPOINT before")
            if self.hot:
                await self.connection.execute(f"SET LOCAL plan_cache_mode = force_{mode}_plan")
            told = await self.connection.fetchval(
                f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE explained {given}"
            )
            await self.connection.execute("ROLLBACK TO before")
            found = json.loads(told) if isinstance(told, str) else told
            self.plans.append(Plan(sql, found[0]["Plan"], "JIT" in found[0]))
        await self.connection.execute("DEALLOCATE explained")


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list | tuple):
        value = "{" + ",".join(f'"{each}"' for each in value) + "}"
    text = str(value).replace("'", "''")
    return f"'{text}'"


@contextmanager
def listening(engine: sa.Engine) -> Iterator[list[tuple[str, Args]]]:
    """The statements that SQLAlchemy sends inside the block, with what they were given.

    Totals are left out, because how many there are takes a look at all, and what only writes.
    """
    sent: list[tuple[str, Args]] = []

    def heard(_c: Any, _cursor: Any, sql: str, args: Args, *_: Any) -> None:
        if not sql.startswith(_LEFT_OUT):
            sent.append((sql, args))

    sa.event.listen(engine, "before_cursor_execute", heard)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", heard)
