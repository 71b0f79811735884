UPDATE runs SET state = r.state, output = r.output, output_ref = r.output_ref, error = r.error, finished_at = r.now,
       worker_id = NULL, sticky_worker = NULL, attempt_started_at = coalesce(runs.attempt_started_at, r.started_at, r.now),
       started_at = coalesce(runs.started_at, r.started_at, r.now),
       used_ms = runs.used_ms + greatest(0, r.now - runs.claimed_at)
FROM json_to_recordset(CAST(:rows AS json)) AS r (
     id TEXT, epoch BIGINT, worker TEXT, state TEXT, output TEXT, output_ref TEXT, error TEXT, started_at BIGINT, now BIGINT)
WHERE runs.id = r.id AND runs.epoch = r.epoch AND runs.worker_id = r.worker AND coalesce(runs.state, '') = 'EXECUTING' -- by id
RETURNING runs.id, runs.env, runs.task, runs.queue, runs.attempt, runs.epoch, runs.awaited, runs.has_waits, runs.idempotency_key,
          runs.cancel_requested_at,
          (SELECT count(*) FROM queues q WHERE q.env = runs.env AND q.name = runs.queue
                                           AND (q.limit_n IS NOT NULL OR q.limit_per_key IS NOT NULL)) AS limited
