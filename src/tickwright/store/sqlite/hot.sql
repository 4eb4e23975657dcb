-- The statements of the firing path, for SQLite. Bulk values come as one JSON array of rows;
-- every statement runs inside BEGIN IMMEDIATE, so no row needs a lock of its own.

-- name: due
SELECT c.schedule_id, c.next_run_at, c.fired_count, s.trigger, s.ends_at, s.max_runs, s.misfire,
       s.overlap, s.overlap_limit, s.scope_key, s.key AS schedule_key, s.job_key, s.handler, s.target, s.payload,
       j.queue, j.priority, j.policy
FROM (
  SELECT schedule_id, next_run_at, fired_count FROM tickwright_schedule_cursors
  WHERE next_run_at <= ?1 AND next_run_at IS NOT NULL ORDER BY next_run_at LIMIT ?2
) c
JOIN tickwright_schedules s ON s.id = c.schedule_id
LEFT JOIN tickwright_jobs j ON j.scope_key = s.scope_key AND j.key = s.job_key

-- name: open_runs
SELECT schedule_id, count(*) FILTER (WHERE gate IS NOT 'overlap') AS active,
       count(*) FILTER (WHERE gate = 'overlap') AS waiting
FROM tickwright_runs
WHERE status IN ('queued', 'running')
  AND schedule_id IN (SELECT value ->> 0 FROM json_each(?1))
GROUP BY schedule_id

-- name: make_way
UPDATE tickwright_runs
SET status = iif(status = 'queued', 'cancelled', status),
    reason = iif(status = 'queued', 'overlap', reason),
    finished_at = iif(status = 'queued', ?2, finished_at), gate = NULL,
    cancel_requested_at = iif(status = 'queued', cancel_requested_at,
                              coalesce(cancel_requested_at, ?2))
WHERE status IN ('queued', 'running')
  AND schedule_id IN (SELECT value ->> 0 FROM json_each(?1))
RETURNING schedule_id, status

-- name: may_claim
SELECT EXISTS (
  SELECT 1 FROM tickwright_workers WHERE id = ?1 AND status = 'online' AND lease_until > ?2
) AND NOT EXISTS (SELECT 1 FROM tickwright_runs WHERE status = 'queued' AND gate IS NULL)

-- name: insert_runs
INSERT INTO tickwright_runs (
  id, scope_key, schedule_id, job_key, queue, priority, handler, cause, own_key, status, reason,
  gate, nominal_at, through_at, count, run_at, target, payload, attempt, lost_count, worker_id,
  lease_token, items_processed, items_succeeded, items_failed, limit_key
)
SELECT u.value ->> 0, s.scope_key, s.id, s.job_key, u.value ->> 8, u.value ->> 9, s.handler,
       'schedule', '', u.value ->> 2, u.value ->> 3, u.value ->> 12, u.value ->> 4,
       u.value ->> 5, u.value ->> 6,
       u.value ->> 4, iif(u.value ->> 7, s.target, NULL), iif(u.value ->> 7, s.payload, NULL),
       1, 0, u.value ->> 10, u.value ->> 11, 0, 0, 0, u.value ->> 13
FROM json_each(?1) u
JOIN tickwright_schedules s ON s.id = u.value ->> 1
WHERE true
ON CONFLICT (schedule_id, nominal_at, own_key) DO NOTHING
RETURNING id

-- name: advance
UPDATE tickwright_schedule_cursors AS c
SET next_run_at = u.value ->> 1,
    decided_through = coalesce(u.value ->> 2, c.decided_through), fired_count = u.value ->> 3,
    spent = u.value ->> 4, parked = u.value ->> 5
FROM json_each(?1) u
WHERE c.schedule_id = u.value ->> 0

-- name: over
-- Spent schedules without an open run, and whether their one shot failed.
SELECT s.id, s.trigger ->> 'type' = 'one_shot' AND coalesce((
         SELECT r.status FROM tickwright_runs r
         WHERE r.schedule_id = s.id AND r.cause = 'schedule'
         ORDER BY r.nominal_at DESC LIMIT 1
       ), '') IN ('failed', 'dead', 'missed') AS failed
FROM tickwright_schedule_cursors c
JOIN tickwright_schedules s ON s.id = c.schedule_id
WHERE c.spent AND (?1 IS NULL OR c.schedule_id IN (SELECT value ->> 0 FROM json_each(?1)))
  AND s.status IN ('active', 'paused')
  AND NOT EXISTS (
    SELECT 1 FROM tickwright_runs r
    WHERE r.schedule_id = c.schedule_id AND r.status IN ('queued', 'running')
  )

-- name: end_schedules
UPDATE tickwright_schedules AS s
SET status = iif(u.value ->> 1, 'failed', 'completed'), updated_at = ?2, version = s.version + 1
FROM json_each(?1) u WHERE s.id = u.value ->> 0

-- name: end_cursors
UPDATE tickwright_schedule_cursors SET spent = false
WHERE schedule_id IN (SELECT value ->> 0 FROM json_each(?1))

-- name: next_due
SELECT min(at) FROM (
  SELECT min(next_run_at) AS at FROM tickwright_schedule_cursors WHERE next_run_at IS NOT NULL
  UNION ALL
  SELECT min(run_at) FROM tickwright_runs WHERE status = 'queued' AND gate = 'time'
  UNION ALL
  SELECT min(opens_at) FROM tickwright_rates WHERE opens_at IS NOT NULL
)

-- name: lift
UPDATE tickwright_runs SET gate = iif(limit_key IS NULL, NULL, 'limit')
WHERE id IN (
  SELECT id FROM tickwright_runs
  WHERE status = 'queued' AND gate = 'time' AND run_at <= ?1 ORDER BY run_at LIMIT 1000
)
RETURNING id

-- name: open_rates
UPDATE tickwright_rates SET opens_at = NULL WHERE opens_at <= ?1

-- name: limited
WITH RECURSIVE groups (scope_key, job_key, limit_key, queue, handler) AS (
  SELECT * FROM (
    SELECT scope_key, job_key, limit_key, queue, coalesce(handler, '') FROM tickwright_runs
    WHERE status = 'queued' AND gate = 'limit'
      AND (scope_key, job_key, limit_key, queue, coalesce(handler, '')) > (?1, ?2, ?3, ?4, ?5)
    ORDER BY scope_key, job_key, limit_key, queue, coalesce(handler, '') LIMIT 1
  )
  UNION ALL
  SELECT r.scope_key, r.job_key, r.limit_key, r.queue, coalesce(r.handler, '')
  FROM groups g JOIN tickwright_runs r ON r.id = (
    SELECT id FROM tickwright_runs
    WHERE status = 'queued' AND gate = 'limit'
      AND (scope_key, job_key, limit_key, queue, coalesce(handler, ''))
          > (g.scope_key, g.job_key, g.limit_key, g.queue, g.handler)
    ORDER BY scope_key, job_key, limit_key, queue, coalesce(handler, '') LIMIT 1
  )
  LIMIT ?6
)
SELECT g.*, j.policy FROM groups g
LEFT JOIN tickwright_jobs j ON j.scope_key = g.scope_key AND j.key = g.job_key

-- name: count_running
SELECT CASE v.value ->> 0
  WHEN 'job' THEN (
    SELECT count(*) FROM tickwright_runs
    WHERE status = 'running' AND limit_key IS NOT NULL
      AND scope_key = v.value ->> 1 AND job_key = v.value ->> 2)
  WHEN 'key' THEN (
    SELECT count(*) FROM tickwright_runs
    WHERE status = 'running' AND limit_key IS NOT NULL
      AND scope_key = v.value ->> 1 AND job_key = v.value ->> 2 AND limit_key = v.value ->> 3)
  ELSE (
    SELECT count(*) FROM tickwright_runs
    WHERE status = 'running'
      AND (scope_key = v.value ->> 1 OR substr(scope_key, 1, length(v.value ->> 1) + 1)
                                        = (v.value ->> 1) || '/'))
  END AS running
FROM json_each(?1) v ORDER BY v.key

-- name: rates
SELECT r.scope_key, r.job_key, r.limit_key, r.used, r.opens_at
FROM json_each(?1) v
JOIN tickwright_rates r
  ON r.scope_key = v.value ->> 0 AND r.job_key = v.value ->> 1 AND r.limit_key = v.value ->> 2

-- name: spend
INSERT INTO tickwright_rates (scope_key, job_key, limit_key, used, opens_at, expires_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value -> 3, value ->> 4, value ->> 5
FROM json_each(?1) WHERE true
ON CONFLICT (scope_key, job_key, limit_key) DO UPDATE
SET used = excluded.used, opens_at = excluded.opens_at, expires_at = excluded.expires_at

-- name: waiting
-- Of one group: here a limit cannot differ from row to row.
SELECT id, priority, run_at, ?7 AS place FROM tickwright_runs
WHERE status = 'queued' AND gate = 'limit' AND scope_key = ?1 AND job_key = ?2
  AND limit_key = ?3 AND queue = ?4 AND coalesce(handler, '') = ?5
ORDER BY priority DESC, run_at LIMIT ?6

-- name: admit
UPDATE tickwright_runs SET gate = NULL WHERE id IN (SELECT value ->> 0 FROM json_each(?1))

-- name: hold_back
UPDATE tickwright_runs AS r
SET status = 'queued', gate = 'limit', worker_id = NULL, limit_key = v.value ->> 1
FROM json_each(?1) v WHERE r.id = v.value ->> 0

-- name: take
WITH RECURSIVE lanes (scope_key) AS (
  SELECT min(scope_key) FROM tickwright_runs WHERE status = 'queued' AND gate IS NULL
  UNION ALL
  SELECT (SELECT min(r.scope_key) FROM tickwright_runs r
          WHERE r.status = 'queued' AND r.gate IS NULL AND r.scope_key > lanes.scope_key)
  FROM lanes WHERE lanes.scope_key IS NOT NULL
), chosen (scope_key) AS (
  SELECT scope_key FROM lanes
  WHERE EXISTS (
    SELECT 1 FROM tickwright_runs
    WHERE status = 'queued' AND gate IS NULL AND scope_key = lanes.scope_key
      AND queue IN (SELECT value FROM json_each(?3))
      AND (handler IS NULL OR handler IN (SELECT value FROM json_each(?4)))
  )
  ORDER BY scope_key <= ?1, scope_key LIMIT ?2
)
UPDATE tickwright_runs
SET status = 'running', worker_id = ?5, lease_token = lease_token + 1, started_at = NULL
WHERE id IN (
  SELECT r.id FROM chosen JOIN tickwright_runs r ON r.id IN (
    SELECT id FROM tickwright_runs
    WHERE status = 'queued' AND gate IS NULL AND scope_key = chosen.scope_key
      AND queue IN (SELECT value FROM json_each(?3))
      AND (handler IS NULL OR handler IN (SELECT value FROM json_each(?4)))
    ORDER BY priority DESC, run_at
    LIMIT max(1, ?2 / (SELECT count(*) FROM chosen))
  )
  WHERE EXISTS (
    SELECT 1 FROM tickwright_workers WHERE id = ?5 AND status = 'online' AND lease_until > ?6
  )
  LIMIT ?2
)
RETURNING id

-- name: runs_by_id
SELECT r.id, r.scope_key, r.schedule_id, r.job_key, r.cause, r.nominal_at, r.run_at, r.target,
       r.payload, r.attempt, r.lease_token, r.lost_count, r.triggered_by, r.started_at,
       r.worker_id, r.limit_key, s.key AS schedule_key, s.overlap, j.policy
FROM tickwright_runs r
LEFT JOIN tickwright_schedules s ON s.id = r.schedule_id
LEFT JOIN tickwright_jobs j ON j.scope_key = r.scope_key AND j.key = r.job_key
WHERE r.id IN (SELECT value ->> 0 FROM json_each(?1))
ORDER BY r.scope_key <= ?2, r.scope_key, r.priority DESC, r.run_at

-- name: mark_started
UPDATE tickwright_runs AS r SET started_at = u.value ->> 3
FROM json_each(?1) u
WHERE r.id = u.value ->> 0 AND r.status = 'running' AND r.attempt = u.value ->> 1
  AND r.lease_token = u.value ->> 2

-- name: finish
-- The fence: only the attempt and lease token that are running may end a run. A run that has
-- been asked to cancel does not get another try.
UPDATE tickwright_runs AS r
SET status = iif(u.again AND r.cancel_requested_at IS NOT NULL, 'cancelled', u.status),
    gate = CASE WHEN NOT u.again OR r.cancel_requested_at IS NOT NULL THEN NULL
                WHEN u.run_at IS NOT NULL THEN 'time'
                WHEN r.limit_key IS NOT NULL THEN 'limit' END,
    run_at = iif(r.cancel_requested_at IS NULL, coalesce(u.run_at, r.run_at), r.run_at),
    attempt = iif(r.cancel_requested_at IS NULL, u.next_attempt, r.attempt),
    lost_count = u.lost_count,
    worker_id = iif(u.again AND r.cancel_requested_at IS NULL, NULL, r.worker_id),
    started_at = iif(u.again AND r.cancel_requested_at IS NULL, NULL, u.started_at),
    finished_at = iif(u.again AND r.cancel_requested_at IS NULL, NULL, u.finished_at),
    reason = iif(u.again AND r.cancel_requested_at IS NOT NULL, 'cancelled', u.reason),
    error = u.error, result = u.result, items_processed = u.items_processed,
    items_succeeded = u.items_succeeded, items_failed = u.items_failed
FROM (
  SELECT value ->> 0 AS id, value ->> 1 AS attempt, value ->> 2 AS lease_token,
         value ->> 3 AS status, value ->> 3 = 'queued' AS again, value ->> 4 AS run_at,
         value ->> 5 AS next_attempt, value ->> 6 AS lost_count, value ->> 7 AS started_at,
         value ->> 8 AS finished_at, value ->> 9 AS reason, value ->> 10 AS error,
         value ->> 11 AS result, value ->> 12 AS items_processed,
         value ->> 13 AS items_succeeded, value ->> 14 AS items_failed
  FROM json_each(?1)
) u
WHERE r.id = u.id AND r.status = 'running' AND r.attempt = u.attempt
  AND r.lease_token = u.lease_token
RETURNING id, lease_token, status

-- name: ended_schedules
SELECT id, CASE WHEN deleted_at IS NOT NULL THEN 'schedule delete'
                WHEN status = 'cancelled' THEN 'schedule cancel' END AS reason
FROM tickwright_schedules
WHERE id IN (SELECT value ->> 0 FROM json_each(?1))

-- name: supersede
INSERT INTO tickwright_attempts (
  run_id, attempt, outcome, worker_id, started_at, finished_at, error
)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM json_each(?1) WHERE true
ON CONFLICT (run_id, attempt) DO NOTHING

-- name: count_stats
INSERT INTO tickwright_schedule_stats AS t (
  schedule_id, run_count, success_count, failure_count, failure_streak, last_run_at,
  last_success_at, last_status, last_duration_ms, circuit_streak
)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       value ->> 7, value ->> 8, value ->> 9
FROM json_each(?1) WHERE true
ON CONFLICT (schedule_id) DO UPDATE
SET run_count = t.run_count + excluded.run_count,
    success_count = t.success_count + excluded.success_count,
    failure_count = t.failure_count + excluded.failure_count,
    failure_streak = CASE WHEN excluded.success_count > 0 THEN excluded.failure_streak
                          ELSE t.failure_streak + excluded.failure_streak END,
    circuit_streak = CASE WHEN excluded.success_count > 0 THEN excluded.circuit_streak
                          ELSE t.circuit_streak + excluded.circuit_streak END,
    last_run_at = max(coalesce(t.last_run_at, excluded.last_run_at), excluded.last_run_at),
    last_success_at = coalesce(
      max(t.last_success_at, excluded.last_success_at), t.last_success_at, excluded.last_success_at
    ),
    last_status = CASE WHEN t.last_run_at IS NULL OR excluded.last_run_at >= t.last_run_at
                       THEN excluded.last_status ELSE t.last_status END,
    last_duration_ms = CASE WHEN t.last_run_at IS NULL OR excluded.last_run_at >= t.last_run_at
                            THEN excluded.last_duration_ms ELSE t.last_duration_ms END

-- name: trip
UPDATE tickwright_schedule_stats AS t SET tripped_at = ?2
FROM json_each(?1) u
WHERE t.schedule_id = u.value ->> 0 AND t.circuit_streak >= u.value ->> 1
  AND t.tripped_at IS NULL

-- name: count_days
INSERT INTO tickwright_run_days AS t (
  schedule_id, day, succeeded, failed, cancelled, duration_ms, items_processed, items_succeeded,
  items_failed
)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       value ->> 7, value ->> 8
FROM json_each(?1) WHERE true
ON CONFLICT (schedule_id, day) DO UPDATE
SET succeeded = t.succeeded + excluded.succeeded, failed = t.failed + excluded.failed,
    cancelled = t.cancelled + excluded.cancelled,
    duration_ms = t.duration_ms + excluded.duration_ms,
    items_processed = t.items_processed + excluded.items_processed,
    items_succeeded = t.items_succeeded + excluded.items_succeeded,
    items_failed = t.items_failed + excluded.items_failed

-- name: held
SELECT id FROM tickwright_runs WHERE status = 'running' AND worker_id = ?1

-- name: orphans
-- The plus keeps it from walking through the history because that is in the order of ids.
SELECT r.id FROM tickwright_runs r
LEFT JOIN tickwright_workers w ON w.id = r.worker_id
WHERE r.status = 'running' AND (w.id IS NULL OR w.status = 'offline' OR w.lease_until <= ?1)
ORDER BY +r.id LIMIT ?2
