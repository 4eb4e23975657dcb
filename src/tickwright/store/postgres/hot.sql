-- The statements of the firing path, for asyncpg. Bulk values come as one JSON array of rows:
-- encoding one text costs the client a third of what encoding a dozen arrays does. Where they are
-- joined, `jsonb_typeof` makes the planner expect one row instead of a hundred: a plan that walks a
-- table because it is still small would be kept while the table grows.

-- name: due
-- Schedules whose time has come, their cursors locked so that no other planner decides them.
-- The subquery is materialized so that the limit bounds the joins whatever the statistics say.
WITH due AS MATERIALIZED (
  SELECT schedule_id, next_run_at, fired_count, next_nominal
  FROM tickwright.schedule_cursors
  WHERE next_run_at <= $1
  ORDER BY next_run_at
  LIMIT $2
  FOR UPDATE SKIP LOCKED
)
SELECT d.schedule_id, d.next_run_at, d.fired_count, s.trigger::text AS trigger,
       s.ends_at, s.max_runs, s.misfire, s.overlap, s.overlap_limit, s.scope_key, s.key AS schedule_key,
       s.job_key, s.handler, s.target::text AS target, s.payload::text AS payload,
       j.queue, j.priority, j.policy::text AS policy, d.next_nominal, s.timing::text AS timing,
       CASE WHEN s.timing IS NOT NULL THEN (
         SELECT jsonb_agg(c.definition::text ORDER BY c.key)::text FROM tickwright.calendars c
         WHERE c.key IN (SELECT jsonb_array_elements_text(s.timing -> 'calendars'))
           AND (c.scope_key = s.scope_key OR c.scope_key = '*' AND NOT EXISTS (
             SELECT 1 FROM tickwright.calendars own
             WHERE own.scope_key = s.scope_key AND own.key = c.key))
       ) END AS calendars
FROM due d
JOIN tickwright.schedules s ON s.id = d.schedule_id
LEFT JOIN tickwright.jobs j ON j.scope_key = s.scope_key AND j.key = s.job_key

-- name: open_runs
-- How many runs of these schedules are open. A statement of its own, after the cursors are
-- locked: a run added by hand holds the same lock, so this snapshot sees it.
SELECT schedule_id, count(*) FILTER (WHERE gate IS DISTINCT FROM 'overlap') AS active,
       count(*) FILTER (WHERE gate = 'overlap') AS waiting
FROM tickwright.runs
WHERE schedule_id = ANY($1::uuid[]) AND status IN ('queued', 'running')
GROUP BY schedule_id

-- name: make_way
WITH opened AS MATERIALIZED (
  SELECT id FROM tickwright.runs
  WHERE schedule_id = ANY($1::uuid[]) AND status IN ('queued', 'running')
  ORDER BY id FOR UPDATE
)
UPDATE tickwright.runs r
SET status = CASE WHEN r.status = 'queued' THEN 'cancelled' ELSE r.status END,
    reason = CASE WHEN r.status = 'queued' THEN 'overlap' ELSE r.reason END,
    finished_at = CASE WHEN r.status = 'queued' THEN $2 ELSE r.finished_at END,
    gate = NULL,
    cancel_requested_at = CASE WHEN r.status = 'queued' THEN r.cancel_requested_at
                               ELSE coalesce(r.cancel_requested_at, $2) END
FROM opened WHERE r.id = opened.id
RETURNING r.schedule_id, r.status

-- name: may_claim
-- Whether a worker may take new runs at once: its lease is live, and no older ready work waits.
SELECT EXISTS (
  SELECT 1 FROM tickwright.workers WHERE id = $1 AND status = 'online' AND lease_until > $2
) AND NOT EXISTS (SELECT 1 FROM tickwright.runs WHERE status = 'queued' AND gate IS NULL)

-- name: insert_runs
-- Target and payload are copied from the schedule inside the firing transaction. A run that
-- exists already for its instant stays as it is.
INSERT INTO tickwright.runs (
  id, scope_key, schedule_id, job_key, queue, priority, handler, cause, own_key, status, reason,
  gate, nominal_at, through_at, count, run_at, target, payload, attempt, lost_count, worker_id,
  lease_token, items_processed, items_succeeded, items_failed, limit_key
)
SELECT u.id, s.scope_key, s.id, s.job_key, u.queue, u.priority, s.handler, 'schedule', '',
       u.status, u.reason, u.gate, u.nominal_at, u.through_at, u.count,
       coalesce(u.run_at, u.nominal_at),
       CASE WHEN u.fired THEN s.target END, CASE WHEN u.fired THEN s.payload END,
       1, 0, u.worker_id, u.lease_token, 0, 0, 0, u.limit_key
FROM (
  SELECT (v ->> 0)::uuid AS id, (v ->> 1)::uuid AS schedule_id, v ->> 2 AS status,
         v ->> 3 AS reason, (v ->> 4)::timestamptz AS nominal_at,
         (v ->> 5)::timestamptz AS through_at, (v ->> 6)::int AS count, (v ->> 7)::bool AS fired,
         v ->> 8 AS queue, (v ->> 9)::smallint AS priority, (v ->> 10)::uuid AS worker_id,
         (v ->> 11)::int AS lease_token, v ->> 12 AS gate,
         v ->> 13 AS limit_key, (v ->> 14)::timestamptz AS run_at
  FROM jsonb_array_elements($1::jsonb) v WHERE jsonb_typeof(v) = 'array'
) u
JOIN tickwright.schedules s ON s.id = u.schedule_id
ON CONFLICT (schedule_id, nominal_at, own_key) DO NOTHING
RETURNING id

-- name: advance
-- Cursors step from their own value; the rows are locked by `due`.
UPDATE tickwright.schedule_cursors c
SET next_run_at = u.next_run_at,
    decided_through = coalesce(u.decided_through, c.decided_through),
    fired_count = u.fired_count, spent = u.spent, parked = u.parked,
    next_nominal = u.next_nominal
FROM (
  SELECT (v ->> 0)::uuid AS schedule_id, (v ->> 1)::timestamptz AS next_run_at,
         (v ->> 2)::timestamptz AS decided_through, (v ->> 3)::bigint AS fired_count,
         (v ->> 4)::bool AS spent, v ->> 5 AS parked, (v ->> 6)::timestamptz AS next_nominal
  FROM jsonb_array_elements($1::jsonb) v WHERE jsonb_typeof(v) = 'array'
) u
WHERE c.schedule_id = u.schedule_id

-- name: complete
-- Spent schedules without an open run end here; OFFSET makes it ask for each of them instead of
-- comparing them with all open runs. Locked ones are skipped, never waited for:
-- edits lock schedule before cursor, and a later sweep finds what was skipped.
WITH over AS (
  SELECT s.id, c.fired_count
  FROM tickwright.schedule_cursors c
  JOIN tickwright.schedules s ON s.id = c.schedule_id
  WHERE c.spent AND ($1::uuid[] IS NULL OR c.schedule_id = ANY($1::uuid[]))
    AND s.status IN ('active', 'paused')
    AND NOT EXISTS (
      SELECT 1 FROM tickwright.runs r
      WHERE r.schedule_id = c.schedule_id AND r.status IN ('queued', 'running')
      OFFSET 0
    )
  FOR UPDATE OF s, c SKIP LOCKED
), ended AS (
  UPDATE tickwright.schedules s
  SET status = CASE
        WHEN s.trigger->>'type' = 'one_shot' AND coalesce((
          SELECT r.status FROM tickwright.runs r
          WHERE r.schedule_id = s.id AND r.cause = 'schedule' ORDER BY r.nominal_at DESC LIMIT 1
        ), '') IN ('failed', 'dead', 'missed') THEN 'failed' ELSE 'completed' END,
      updated_at = $2, version = s.version + 1
  FROM over WHERE s.id = over.id
  RETURNING s.id
)
UPDATE tickwright.schedule_cursors c SET spent = false FROM ended WHERE c.schedule_id = ended.id

-- name: next_due
-- Not min(): where few waited when the table was analysed last, it would read all that do now.
SELECT least(
  (SELECT next_run_at FROM tickwright.schedule_cursors WHERE next_run_at IS NOT NULL
   ORDER BY next_run_at LIMIT 1),
  (SELECT run_at FROM tickwright.runs WHERE status = 'queued' AND gate = 'time'
   ORDER BY run_at LIMIT 1),
  (SELECT opens_at FROM tickwright.rates WHERE opens_at IS NOT NULL
   ORDER BY opens_at LIMIT 1)
)

-- name: lift
WITH ready AS (
  SELECT id FROM tickwright.runs
  WHERE status = 'queued' AND gate = 'time' AND run_at <= $1
  ORDER BY run_at LIMIT 1000 FOR UPDATE SKIP LOCKED
), lifted AS (
  UPDATE tickwright.runs r SET gate = CASE WHEN r.limit_key IS NOT NULL THEN 'limit' END
  FROM ready WHERE r.id = ready.id RETURNING 1
), opened AS (
  UPDATE tickwright.rates SET opens_at = NULL WHERE opens_at <= $1 RETURNING 1
)
SELECT (SELECT count(*) FROM lifted) + (SELECT count(*) FROM opened)

-- name: take
-- Tenants take turns: lanes are found by skipping from key to key in the claim index, starting
-- after $1 and wrapping around, and each that has work for this worker gives an equal share. Only
-- a worker with a live lease gets any.
WITH RECURSIVE ahead AS (
  (SELECT scope_key FROM tickwright.runs
   WHERE status = 'queued' AND gate IS NULL AND scope_key > $1
   ORDER BY scope_key LIMIT 1)
  UNION ALL
  SELECT (SELECT r.scope_key FROM tickwright.runs r
          WHERE r.status = 'queued' AND r.gate IS NULL AND r.scope_key > l.scope_key
          ORDER BY r.scope_key LIMIT 1)
  FROM ahead l WHERE l.scope_key IS NOT NULL
), behind AS (
  (SELECT scope_key FROM tickwright.runs
   WHERE status = 'queued' AND gate IS NULL AND scope_key <= $1
   ORDER BY scope_key LIMIT 1)
  UNION ALL
  SELECT (SELECT r.scope_key FROM tickwright.runs r
          WHERE r.status = 'queued' AND r.gate IS NULL AND r.scope_key > l.scope_key
            AND r.scope_key <= $1
          ORDER BY r.scope_key LIMIT 1)
  FROM behind l WHERE l.scope_key IS NOT NULL
), chosen AS MATERIALIZED (
  SELECT scope_key FROM (
    SELECT scope_key FROM ahead WHERE scope_key IS NOT NULL
    UNION ALL
    SELECT scope_key FROM behind WHERE scope_key IS NOT NULL
  ) lanes
  CROSS JOIN LATERAL (
    SELECT 1 FROM tickwright.runs
    WHERE status = 'queued' AND gate IS NULL AND scope_key = lanes.scope_key
      AND queue = ANY($3::text[]) AND (handler IS NULL OR handler = ANY($4::text[]))
    ORDER BY priority DESC, run_at
    LIMIT 1
  ) served
  LIMIT $2::int
), picked AS MATERIALIZED (
  SELECT r.id
  FROM chosen
  CROSS JOIN LATERAL (
    SELECT id FROM tickwright.runs
    WHERE status = 'queued' AND gate IS NULL AND scope_key = chosen.scope_key
      AND queue = ANY($3::text[]) AND (handler IS NULL OR handler = ANY($4::text[]))
    ORDER BY priority DESC, run_at
    LIMIT greatest(1, $2::int / (SELECT count(*) FROM chosen))
    FOR UPDATE SKIP LOCKED
  ) r
  WHERE EXISTS (
    SELECT 1 FROM tickwright.workers
    WHERE id = $5 AND status = 'online' AND lease_until > $6
  )
  LIMIT $2::int
), taken AS (
  UPDATE tickwright.runs r
  SET status = 'running', worker_id = $5, lease_token = r.lease_token + 1, started_at = NULL
  FROM picked WHERE r.id = picked.id
  RETURNING r.id, r.scope_key, r.schedule_id, r.job_key, r.cause, r.nominal_at, r.run_at,
            r.target::text AS target, r.payload::text AS payload, r.attempt, r.lease_token,
            r.lost_count, r.triggered_by, r.started_at, r.worker_id, r.limit_key, r.priority
)
SELECT t.*, s.key AS schedule_key, s.overlap, j.policy::text AS policy
FROM taken t
LEFT JOIN tickwright.schedules s ON s.id = t.schedule_id
LEFT JOIN tickwright.jobs j ON j.scope_key = t.scope_key AND j.key = t.job_key
ORDER BY t.scope_key <= $1, t.scope_key, t.priority DESC, t.run_at

-- name: limited
-- Groups of runs that wait for the same limits and the same worker, found by skipping from group
-- to group in their index, from after the given one.
WITH RECURSIVE groups AS (
  (SELECT scope_key, job_key, limit_key, queue, coalesce(handler, '') AS handler
   FROM tickwright.runs
   WHERE status = 'queued' AND gate = 'limit'
     AND (scope_key, job_key, limit_key, queue, coalesce(handler, '')) > ($1, $2, $3, $4, $5)
   ORDER BY scope_key, job_key, limit_key, queue, coalesce(handler, '') LIMIT 1)
  UNION ALL
  SELECT n.* FROM groups g
  CROSS JOIN LATERAL (
    SELECT scope_key, job_key, limit_key, queue, coalesce(handler, '') AS handler
    FROM tickwright.runs
    WHERE status = 'queued' AND gate = 'limit'
      AND (scope_key, job_key, limit_key, queue, coalesce(handler, ''))
          > (g.scope_key, g.job_key, g.limit_key, g.queue, g.handler)
    ORDER BY scope_key, job_key, limit_key, queue, coalesce(handler, '') LIMIT 1
  ) n
)
SELECT g.*, j.policy::text AS policy
FROM (SELECT * FROM groups LIMIT $6) g
LEFT JOIN tickwright.jobs j ON j.scope_key = g.scope_key AND j.key = g.job_key

-- name: lock_limits
-- Whoever admits runs to the same limits takes turns; what it counts then is what there is.
SELECT pg_advisory_xact_lock(name) FROM unnest($1::bigint[]) name

-- name: count_running
-- How much of each limit is in use, in the order of the rows: [kind, scope or tenant, job, key].
SELECT CASE v ->> 0
  WHEN 'job' THEN (
    SELECT count(*) FROM tickwright.runs
    WHERE status = 'running' AND limit_key IS NOT NULL
      AND scope_key = v ->> 1 AND job_key = v ->> 2)
  WHEN 'key' THEN (
    SELECT count(*) FROM tickwright.runs
    WHERE status = 'running' AND limit_key IS NOT NULL
      AND scope_key = v ->> 1 AND job_key = v ->> 2 AND limit_key = v ->> 3)
  ELSE (
    SELECT count(*) FROM tickwright.runs
    WHERE status = 'running' AND split_part(scope_key, '/', 1) = v ->> 1)
  END AS running
FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY e (v, n) ORDER BY n

-- name: rates
SELECT r.scope_key, r.job_key, r.limit_key, r.used::text AS used, r.opens_at
FROM jsonb_array_elements($1::jsonb) v
JOIN tickwright.rates r
  ON r.scope_key = v ->> 0 AND r.job_key = v ->> 1 AND r.limit_key = v ->> 2

-- name: spend
INSERT INTO tickwright.rates (scope_key, job_key, limit_key, used, opens_at, expires_at)
SELECT v ->> 0, v ->> 1, v ->> 2, v -> 3, (v ->> 4)::timestamptz, (v ->> 5)::timestamptz
FROM jsonb_array_elements($1::jsonb) v
ON CONFLICT (scope_key, job_key, limit_key) DO UPDATE
SET used = excluded.used, opens_at = excluded.opens_at, expires_at = excluded.expires_at

-- name: waiting
-- The first of each group that may go: [scope, job, key, queue, handler, how many].
SELECT r.id, r.priority, r.run_at, e.n::int AS place
FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY e (v, n)
CROSS JOIN LATERAL (
  SELECT id, priority, run_at FROM tickwright.runs
  WHERE status = 'queued' AND gate = 'limit' AND scope_key = v ->> 0 AND job_key = v ->> 1
    AND limit_key = v ->> 2 AND queue = v ->> 3 AND coalesce(handler, '') = v ->> 4
  ORDER BY priority DESC, run_at
  LIMIT (v ->> 5)::int
  FOR UPDATE SKIP LOCKED
) r

-- name: admit
UPDATE tickwright.runs SET gate = NULL WHERE id = ANY($1::uuid[])

-- name: hold_back
-- What was let through or even claimed in this very transaction waits again: [id, limit key].
UPDATE tickwright.runs r
SET status = 'queued', gate = 'limit', worker_id = NULL, limit_key = v ->> 1
FROM jsonb_array_elements($1::jsonb) v
WHERE r.id = (v ->> 0)::uuid

-- name: mark_started
-- The status is compared as an expression, here and in `finish`, so that each row is found by its
-- id: statistics from a quiet moment make the index of running runs look empty, and walking it
-- for every ending took seconds a batch.
UPDATE tickwright.runs r SET started_at = u.started_at
FROM (
  SELECT (v ->> 0)::uuid AS id, (v ->> 1)::int AS attempt, (v ->> 2)::int AS lease_token,
         (v ->> 3)::timestamptz AS started_at
  FROM jsonb_array_elements($1::jsonb) v WHERE jsonb_typeof(v) = 'array'
) u
WHERE r.id = u.id AND r.status || '' = 'running' AND r.attempt = u.attempt
  AND r.lease_token = u.lease_token

-- name: finish
-- The fence: only the attempt and lease token that are running may end a run. A run that has
-- been asked to cancel does not get another try.
UPDATE tickwright.runs r
SET status = CASE WHEN u.status = 'queued' AND r.cancel_requested_at IS NOT NULL
                  THEN 'cancelled' ELSE u.status END,
    gate = CASE WHEN u.status <> 'queued' OR r.cancel_requested_at IS NOT NULL THEN NULL
                WHEN u.run_at IS NOT NULL THEN 'time'
                WHEN r.limit_key IS NOT NULL THEN 'limit' END,
    run_at = CASE WHEN r.cancel_requested_at IS NULL THEN coalesce(u.run_at, r.run_at)
                  ELSE r.run_at END,
    attempt = CASE WHEN r.cancel_requested_at IS NULL THEN u.next_attempt ELSE r.attempt END,
    lost_count = u.lost_count,
    worker_id = CASE WHEN u.status = 'queued' AND r.cancel_requested_at IS NULL
                     THEN NULL ELSE r.worker_id END,
    started_at = CASE WHEN u.status = 'queued' AND r.cancel_requested_at IS NULL
                      THEN NULL ELSE u.started_at END,
    finished_at = CASE WHEN u.status = 'queued' AND r.cancel_requested_at IS NULL
                       THEN NULL ELSE u.finished_at END,
    reason = CASE WHEN u.status = 'queued' AND r.cancel_requested_at IS NOT NULL
                  THEN 'cancelled' ELSE u.reason END,
    error = u.error, result = u.result::jsonb,
    items_processed = u.items_processed, items_succeeded = u.items_succeeded,
    items_failed = u.items_failed
FROM (
  SELECT (v ->> 0)::uuid AS id, (v ->> 1)::int AS attempt, (v ->> 2)::int AS lease_token,
         v ->> 3 AS status, (v ->> 4)::timestamptz AS run_at, (v ->> 5)::int AS next_attempt,
         (v ->> 6)::int AS lost_count, (v ->> 7)::timestamptz AS started_at,
         (v ->> 8)::timestamptz AS finished_at, v ->> 9 AS reason, v ->> 10 AS error,
         v ->> 11 AS result, (v ->> 12)::bigint AS items_processed,
         (v ->> 13)::bigint AS items_succeeded, (v ->> 14)::bigint AS items_failed
  FROM jsonb_array_elements($1::jsonb) v WHERE jsonb_typeof(v) = 'array'
) u
WHERE r.id = u.id AND r.status || '' = 'running' AND r.attempt = u.attempt
  AND r.lease_token = u.lease_token
RETURNING r.id, r.lease_token, r.status

-- name: ended_schedules
SELECT id, CASE WHEN deleted_at IS NOT NULL THEN 'schedule delete'
                WHEN status = 'cancelled' THEN 'schedule cancel' END AS reason
FROM tickwright.schedules
WHERE id = ANY($1::uuid[])
ORDER BY id
FOR SHARE

-- name: supersede
INSERT INTO tickwright.attempts (
  run_id, attempt, outcome, worker_id, started_at, finished_at, error
)
SELECT (v ->> 0)::uuid, (v ->> 1)::int, v ->> 2, (v ->> 3)::uuid, (v ->> 4)::timestamptz,
       (v ->> 5)::timestamptz, v ->> 6
FROM jsonb_array_elements($1::jsonb) v
ON CONFLICT (run_id, attempt) DO NOTHING

-- name: count_stats
-- Rows arrive in id order, so that two processes flushing at once cannot deadlock.
INSERT INTO tickwright.schedule_stats AS t (
  schedule_id, run_count, success_count, failure_count, failure_streak, last_run_at,
  last_success_at, last_status, last_duration_ms, circuit_streak
)
SELECT (v ->> 0)::uuid, (v ->> 1)::bigint, (v ->> 2)::bigint, (v ->> 3)::bigint,
       (v ->> 4)::bigint, (v ->> 5)::timestamptz, (v ->> 6)::timestamptz, v ->> 7,
       (v ->> 8)::bigint, (v ->> 9)::bigint
FROM jsonb_array_elements($1::jsonb) v
ON CONFLICT (schedule_id) DO UPDATE
SET run_count = t.run_count + excluded.run_count,
    success_count = t.success_count + excluded.success_count,
    failure_count = t.failure_count + excluded.failure_count,
    failure_streak = CASE WHEN excluded.success_count > 0 THEN excluded.failure_streak
                          ELSE t.failure_streak + excluded.failure_streak END,
    circuit_streak = CASE WHEN excluded.success_count > 0 THEN excluded.circuit_streak
                          ELSE t.circuit_streak + excluded.circuit_streak END,
    last_run_at = greatest(t.last_run_at, excluded.last_run_at),
    last_success_at = greatest(t.last_success_at, excluded.last_success_at),
    last_status = CASE WHEN t.last_run_at IS NULL OR excluded.last_run_at >= t.last_run_at
                       THEN excluded.last_status ELSE t.last_status END,
    last_duration_ms = CASE WHEN t.last_run_at IS NULL OR excluded.last_run_at >= t.last_run_at
                            THEN excluded.last_duration_ms ELSE t.last_duration_ms END

-- name: trip
-- Schedules whose failures in a row are too many, remembered until they are paused. The rows are
-- locked by `count_stats`.
UPDATE tickwright.schedule_stats t SET tripped_at = $2
FROM (
  SELECT (v ->> 0)::uuid AS schedule_id, (v ->> 1)::bigint AS most
  FROM jsonb_array_elements($1::jsonb) v
) u
WHERE t.schedule_id = u.schedule_id AND t.circuit_streak >= u.most AND t.tripped_at IS NULL

-- name: count_days
INSERT INTO tickwright.run_days AS t (
  schedule_id, day, succeeded, failed, cancelled, duration_ms, items_processed, items_succeeded,
  items_failed
)
SELECT (v ->> 0)::uuid, (v ->> 1)::date, (v ->> 2)::bigint, (v ->> 3)::bigint,
       (v ->> 4)::bigint, (v ->> 5)::bigint, (v ->> 6)::bigint, (v ->> 7)::bigint,
       (v ->> 8)::bigint
FROM jsonb_array_elements($1::jsonb) v
ON CONFLICT (schedule_id, day) DO UPDATE
SET succeeded = t.succeeded + excluded.succeeded, failed = t.failed + excluded.failed,
    cancelled = t.cancelled + excluded.cancelled,
    duration_ms = t.duration_ms + excluded.duration_ms,
    items_processed = t.items_processed + excluded.items_processed,
    items_succeeded = t.items_succeeded + excluded.items_succeeded,
    items_failed = t.items_failed + excluded.items_failed

-- name: held
SELECT r.id, r.scope_key, r.schedule_id, r.job_key, r.cause, r.nominal_at, r.run_at,
       r.target::text AS target, r.payload::text AS payload, r.attempt, r.lease_token,
       r.lost_count, r.triggered_by, r.started_at, r.worker_id, r.limit_key,
       s.key AS schedule_key, s.overlap, j.policy::text AS policy
FROM tickwright.runs r
LEFT JOIN tickwright.schedules s ON s.id = r.schedule_id
LEFT JOIN tickwright.jobs j ON j.scope_key = r.scope_key AND j.key = r.job_key
WHERE r.status = 'running' AND r.worker_id = $1

-- name: orphans
-- Runs in the hands of a worker whose lease is over, however it ended. They are found before they
-- are sorted: a plan that knows no limit would walk through the history in the order of ids.
WITH lost AS MATERIALIZED (
  SELECT r.id, r.lease_token
  FROM tickwright.runs r
  LEFT JOIN tickwright.workers w ON w.id = r.worker_id
  WHERE r.status = 'running' AND (w.id IS NULL OR w.status = 'offline' OR w.lease_until <= $1)
)
SELECT r.id, r.scope_key, r.schedule_id, r.job_key, r.cause, r.nominal_at, r.run_at,
       r.target::text AS target, r.payload::text AS payload, r.attempt, r.lease_token,
       r.lost_count, r.triggered_by, r.started_at, r.worker_id, r.limit_key,
       s.key AS schedule_key, s.overlap, j.policy::text AS policy
FROM lost
JOIN tickwright.runs r ON r.id = lost.id AND r.lease_token = lost.lease_token
LEFT JOIN tickwright.schedules s ON s.id = r.schedule_id
LEFT JOIN tickwright.jobs j ON j.scope_key = r.scope_key AND j.key = r.job_key
WHERE coalesce(r.status, '') = 'running'
ORDER BY lost.id
LIMIT $2
FOR UPDATE OF r SKIP LOCKED

-- name: notify
SELECT pg_notify('tickwright', $1)
