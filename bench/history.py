"""Years of history in a minute: schedules and ended runs that PostgreSQL makes up by itself.

Ids are UUIDv7 of the moments they stand for, because pruning and lists go by that.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg

from bench.fill import LATENESS_JOB, TENANTS
from bench.place import Place

_PATIENCE_SECONDS = 900
_ID = """
CREATE FUNCTION pg_temp.id_at(at timestamptz, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000' || '8'
          || lpad(to_hex(n), 15, '0'))::uuid
$$
"""
_SCHEDULES = """
INSERT INTO tickwright.schedules (
  id, scope_key, key, job_key, trigger, target, payload, handler, misfire, overlap, status, source,
  metadata, registered, override, version, created_at, updated_at
)
SELECT pg_temp.id_at($4, n), 'tenant-' || n % $5::int, 'bench-' || n, $6::text,
       jsonb_build_object('type', 'interval', 'every', $3::text, 'anchor',
         to_char(($2::timestamptz + n * $7::interval) AT TIME ZONE 'UTC',
                 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
       jsonb_build_object('type', 'handler', 'name', $6::text), jsonb_build_object('n', n),
       $6::text, 'fire_once', 'skip', 'active', 'user', '{}', '{}', '{}', 1,
       $4::timestamptz, $4::timestamptz
FROM generate_series(0, $1::int - 1) n
"""
_CURSORS = """
INSERT INTO tickwright.schedule_cursors (schedule_id, next_run_at, fired_count, spent)
SELECT pg_temp.id_at($3, n), $2::timestamptz + n * $4::interval, 0, false
FROM generate_series(0, $1::int - 1) n
"""
# One of a hundred has failed and one of ten thousand is dead; they ended over five days.
_RUNS = """
INSERT INTO tickwright.runs (
  id, scope_key, schedule_id, job_key, queue, priority, handler, cause, own_key, status,
  nominal_at, count, run_at, target, payload, attempt, lost_count, worker_id, lease_token,
  started_at, finished_at, items_processed, items_succeeded, items_failed
)
SELECT pg_temp.id_at(at, n), 'tenant-' || owner % $5::int, pg_temp.id_at($4, owner), $6::text,
       'default', 5, $6::text, 'schedule', '',
       CASE WHEN n % 10000 = 0 THEN 'dead' WHEN n % 100 = 0 THEN 'failed' ELSE 'succeeded' END,
       at, 1, at, jsonb_build_object('type', 'handler', 'name', $6::text),
       jsonb_build_object('n', n), 1, 0, NULL, 1, at, at, 0, 0, 0
FROM (
  SELECT n, (n * 7919::bigint % $2::int)::int AS owner,
         $3::timestamptz - ($1::int - n) * ($7::interval / $1::int) AS at
  FROM generate_series(0, $1::int - 1) n
) made
"""
_SPAN = timedelta(days=5)


async def fill_runs(place: Place, runs: int, schedules: int, now: datetime) -> None:
    """Ended runs of `schedules` schedules that `fill_schedules` makes with the same `now`."""
    connection = await asyncpg.connect(place.url)
    try:
        await connection.execute(_ID)
        await connection.execute(
            _RUNS,
            runs,
            schedules,
            now,
            now,
            TENANTS,
            LATENESS_JOB,
            _SPAN,
            timeout=_PATIENCE_SECONDS,
        )
        await connection.execute("VACUUM (ANALYZE)", timeout=_PATIENCE_SECONDS)
    finally:
        await connection.close()


async def fill_schedules(
    place: Place, count: int, per_second: int, first: datetime, now: datetime
) -> None:
    """Schedules at one interval whose turns are evenly spread, so many in each second."""
    step = timedelta(seconds=1 / per_second)
    connection = await asyncpg.connect(place.url)
    try:
        await connection.execute(_ID)
        every = f"{count // per_second}s"
        await connection.execute(
            _SCHEDULES, count, first, every, now, TENANTS, LATENESS_JOB, step,
            timeout=_PATIENCE_SECONDS,
        )  # fmt: skip
        await connection.execute(_CURSORS, count, first, now, step, timeout=_PATIENCE_SECONDS)
        await connection.execute("VACUUM (ANALYZE)", timeout=_PATIENCE_SECONDS)
    finally:
        await connection.close()
