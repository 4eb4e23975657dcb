"""The floor on PostgreSQL: bare asyncpg batches that write every row Tickwright writes.

Nothing else is around them: no rules, retries, tenants in turn, limits, leases or events. Two
connections are used, so that endings are written while the next batch fires; as in Tickwright
those of a herd wait up to a quarter of a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from bench.contenders.base import beside, utc
from bench.contenders.tables import OnOurTables

BATCH = 1000
_LONGEST_HOLD_SECONDS = 0.25
_LONGEST_SLEEP_SECONDS = 30.0
_WORKER = UUID(int=1)
_DUE = """
SELECT c.schedule_id, c.next_run_at, s.trigger::text, s.target::text, s.payload::text
FROM tickwright.schedule_cursors c JOIN tickwright.schedules s ON s.id = c.schedule_id
WHERE c.next_run_at <= $1 ORDER BY c.next_run_at LIMIT $2 FOR UPDATE OF c SKIP LOCKED
"""
_INSERT = """
INSERT INTO tickwright.runs (
  id, scope_key, schedule_id, job_key, queue, priority, handler, cause, own_key, status,
  nominal_at, count, run_at, target, payload, attempt, lost_count, worker_id, lease_token,
  items_processed, items_succeeded, items_failed
)
SELECT u.id, s.scope_key, s.id, s.job_key, 'default', 5, s.handler, 'schedule', '', 'running',
       u.due, 1, u.due, s.target, s.payload, 1, 0, $4, 1, 0, 0, 0
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) u (id, schedule_id, due)
JOIN tickwright.schedules s ON s.id = u.schedule_id
"""
_ADVANCE = """
UPDATE tickwright.schedule_cursors
SET decided_through = next_run_at, next_run_at = next_run_at + $2, fired_count = fired_count + 1
WHERE schedule_id = ANY($1::uuid[])
"""
_NEXT_DUE = "SELECT min(next_run_at) FROM tickwright.schedule_cursors WHERE next_run_at IS NOT NULL"
_TAKE = """
WITH picked AS MATERIALIZED (
  SELECT id FROM tickwright.runs WHERE status = 'queued' AND gate IS NULL
  ORDER BY scope_key, priority DESC, run_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE tickwright.runs r SET status = 'running', worker_id = $2, lease_token = 1
FROM picked WHERE r.id = picked.id
RETURNING r.id, r.schedule_id, r.target::text, r.payload::text
"""
_FINISH = """
UPDATE tickwright.runs SET status = 'succeeded', started_at = $2, finished_at = $2
WHERE id = ANY($1::uuid[]) AND status = 'running' AND attempt = 1 AND lease_token = 1
"""
_STATISTICS = """
INSERT INTO tickwright.schedule_stats AS t (
  schedule_id, run_count, success_count, failure_count, failure_streak, last_run_at,
  last_success_at, last_status, last_duration_ms
)
SELECT id, count(*), count(*), 0, 0, $2, $2, 'succeeded', 0
FROM unnest($1::uuid[]) id GROUP BY id ORDER BY id
ON CONFLICT (schedule_id) DO UPDATE
SET run_count = t.run_count + excluded.run_count,
    success_count = t.success_count + excluded.success_count,
    last_run_at = excluded.last_run_at, last_success_at = excluded.last_success_at
"""
_DAYS = """
INSERT INTO tickwright.run_days AS t (
  schedule_id, day, succeeded, failed, cancelled, duration_ms, items_processed, items_succeeded,
  items_failed
)
SELECT id, $2, count(*), 0, 0, 0, 0, 0, 0 FROM unnest($1::uuid[]) id GROUP BY id ORDER BY id
ON CONFLICT (schedule_id, day) DO UPDATE SET succeeded = t.succeeded + excluded.succeeded
"""
Ended = tuple[UUID, UUID]


class PostgresFloor(OnOurTables):
    """What hand-written batches reach with the same rows, columns and indexes."""

    package = "import asyncpg"
    imports = "import asyncio, asyncpg"

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        self._ended: asyncio.Queue[list[Ended]] = asyncio.Queue()
        self._herd = False
        first, second = [await asyncpg.connect(self.place.url) for _ in range(2)]
        begin = self._take_all(first) if self.has_backlog else self._fire_on(first)
        try:
            async with beside(begin, self._finish_on(second)):
                yield
        finally:
            await first.close()
            await second.close()

    async def _fire_on(self, c: Any) -> None:
        while True:
            now = utc(time.time())
            fired = await self._fire(c, now)
            self._herd = len(fired) == BATCH
            for _, _, due in fired:
                await self.handler(due.timestamp())
            if fired:
                self._ended.put_nowait([(run, schedule) for run, schedule, _ in fired])
                # Nothing above gives way to the task that writes the endings.
                await asyncio.sleep(0)
                continue
            due = await c.fetchval(_NEXT_DUE)
            delay = due.timestamp() - time.time() if due else _LONGEST_SLEEP_SECONDS
            await asyncio.sleep(min(max(delay, 0.0), _LONGEST_SLEEP_SECONDS))

    async def _fire(self, c: Any, now: datetime) -> list[tuple[UUID, UUID, datetime]]:
        async with c.transaction():
            rows = await c.fetch(_DUE, now, BATCH)
            if not rows:
                return []
            fired = [(uuid7(), row[0], row[1]) for row in rows]
            ids, schedules, dues = zip(*fired, strict=True)
            await c.execute(_INSERT, ids, schedules, dues, _WORKER)
            await c.execute(_ADVANCE, schedules, self.step)
        return fired

    async def _take_all(self, c: Any) -> None:
        while rows := await c.fetch(_TAKE, BATCH, _WORKER):
            if self.delivers:
                await asyncio.gather(*(self.handler(None) for _ in rows))
            else:
                for _ in rows:
                    await self.handler(None)
            self._ended.put_nowait([(row[0], row[1]) for row in rows])

    async def _finish_on(self, c: Any) -> None:
        while True:
            ended = await self._ended.get()
            hold = time.monotonic() + _LONGEST_HOLD_SECONDS
            while self._herd and time.monotonic() < hold:
                await asyncio.sleep(0.005)
            while len(ended) < BATCH and not self._ended.empty():
                ended += self._ended.get_nowait()
            runs, schedules = zip(*ended, strict=True)
            now = utc(time.time())
            async with c.transaction():
                await c.execute(_FINISH, runs, now)
                await c.execute(_STATISTICS, schedules, now)
                await c.execute(_DAYS, schedules, now.date())
