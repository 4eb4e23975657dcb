"""The floor on SQLite: bare sqlite3 batches that write every row Tickwright writes.

One connection, in the event loop's own thread, with the journal and durability of Tickwright:
write-ahead log, `synchronous = FULL`. Endings are written when nothing is left to start.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from bench.contenders.base import beside, micros, utc
from bench.contenders.tables import OnOurTables

BATCH = 1000
_LONGEST_SLEEP_SECONDS = 30.0
_WORKER = UUID(int=1).hex
_DUE = """
SELECT c.schedule_id, c.next_run_at, s.scope_key, s.job_key, s.handler, s.target, s.payload,
       s.trigger
FROM (
  SELECT schedule_id, next_run_at FROM tickwright_schedule_cursors
  WHERE next_run_at <= ? AND next_run_at IS NOT NULL ORDER BY next_run_at LIMIT ?
) c JOIN tickwright_schedules s ON s.id = c.schedule_id
"""
_INSERT = """
INSERT INTO tickwright_runs (
  id, schedule_id, nominal_at, run_at, scope_key, job_key, handler, target, payload, worker_id,
  queue, priority, cause, own_key, status, count, attempt, lost_count, lease_token,
  items_processed, items_succeeded, items_failed
) VALUES (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'default', 5, 'schedule', '', 'running', 1, 1, 0, 1, 0, 0, 0
)
"""
_ADVANCE = """
UPDATE tickwright_schedule_cursors
SET decided_through = next_run_at, next_run_at = next_run_at + ?, fired_count = fired_count + 1
WHERE schedule_id = ?
"""
_NEXT_DUE = "SELECT min(next_run_at) FROM tickwright_schedule_cursors WHERE next_run_at IS NOT NULL"
_TAKE = """
UPDATE tickwright_runs SET status = 'running', worker_id = ?, lease_token = 1
WHERE id IN (
  SELECT id FROM tickwright_runs WHERE status = 'queued' AND gate IS NULL
  ORDER BY scope_key, priority DESC, run_at LIMIT ?
)
RETURNING id, schedule_id, target, payload
"""
_FINISH = """
UPDATE tickwright_runs SET status = 'succeeded', started_at = ?, finished_at = ?
WHERE id = ? AND status = 'running' AND attempt = 1 AND lease_token = 1
"""
_STATISTICS = """
INSERT INTO tickwright_schedule_stats AS t (
  schedule_id, run_count, success_count, failure_count, failure_streak, last_run_at,
  last_success_at, last_status, last_duration_ms
) VALUES (?, ?, ?, 0, 0, ?, ?, 'succeeded', 0)
ON CONFLICT (schedule_id) DO UPDATE
SET run_count = t.run_count + excluded.run_count,
    success_count = t.success_count + excluded.success_count,
    last_run_at = excluded.last_run_at, last_success_at = excluded.last_success_at
"""
_DAYS = """
INSERT INTO tickwright_run_days AS t (
  schedule_id, day, succeeded, failed, cancelled, duration_ms, items_processed, items_succeeded,
  items_failed
) VALUES (?, ?, ?, 0, 0, 0, 0, 0, 0)
ON CONFLICT (schedule_id, day) DO UPDATE SET succeeded = t.succeeded + excluded.succeeded
"""


class SqliteFloor(OnOurTables):
    """What hand-written batches reach with the same rows, columns and indexes."""

    package = "import sqlite3"
    imports = "import asyncio, sqlite3"

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        self._ended: list[tuple[str, str]] = []
        with closing(sqlite3.connect(self.place.path, isolation_level=None)) as c:
            c.execute("PRAGMA journal_mode = WAL")
            c.execute("PRAGMA synchronous = FULL")
            c.execute("PRAGMA busy_timeout = 10000")
            async with beside(self._take_all(c) if self.has_backlog else self._fire_on(c)):
                yield

    async def _fire_on(self, c: sqlite3.Connection) -> None:
        while True:
            if fired := self._fire(c):
                for _, _, due in fired:
                    await self.handler(due / 1e6)
                self._ended += [(run, schedule) for run, schedule, _ in fired]
            else:
                self._finish(c)
                await asyncio.sleep(self._delay(c))

    def _fire(self, c: sqlite3.Connection) -> list[tuple[str, str, int]]:
        with _transaction(c):
            rows = c.execute(_DUE, (micros(utc(time.time())), BATCH)).fetchall()
            fired = [(uuid7().hex, row[0], row[1]) for row in rows]
            step = self.step // timedelta(microseconds=1)
            c.executemany(
                _INSERT,
                [
                    (run, schedule, due, due, *row[2:7], _WORKER)
                    for (run, schedule, due), row in zip(fired, rows, strict=True)
                ],
            )
            c.executemany(_ADVANCE, [(step, schedule) for _, schedule, _ in fired])
        return fired

    def _delay(self, c: sqlite3.Connection) -> float:
        (due,) = c.execute(_NEXT_DUE).fetchone()
        if due is None:
            return _LONGEST_SLEEP_SECONDS
        delay = float(due) / 1e6 - time.time()
        return min(max(delay, 0.0), _LONGEST_SLEEP_SECONDS)

    async def _take_all(self, c: sqlite3.Connection) -> None:
        while rows := self._take(c):
            if self.delivers:
                await asyncio.gather(*(self.handler(None) for _ in rows))
            else:
                for _ in rows:
                    await self.handler(None)
            self._ended += [(row[0], row[1]) for row in rows]
            self._finish(c)

    def _take(self, c: sqlite3.Connection) -> list[Any]:
        with _transaction(c):
            return c.execute(_TAKE, (_WORKER, BATCH)).fetchall()

    def _finish(self, c: sqlite3.Connection) -> None:
        if not self._ended:
            return
        now = utc(time.time())
        at, day = micros(now), now.date().isoformat()
        counts: dict[str, int] = {}
        for _, schedule in self._ended:
            counts[schedule] = counts.get(schedule, 0) + 1
        with _transaction(c):
            c.executemany(_FINISH, [(at, at, run) for run, _ in self._ended])
            c.executemany(_STATISTICS, [(s, n, n, at, at) for s, n in counts.items()])
            c.executemany(_DAYS, [(s, day, n) for s, n in counts.items()])
        self._ended.clear()


@contextmanager
def _transaction(c: sqlite3.Connection) -> Iterator[None]:
    c.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        c.execute("ROLLBACK")
        raise
    c.execute("COMMIT")
