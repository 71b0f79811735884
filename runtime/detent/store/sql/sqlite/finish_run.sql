UPDATE runs SET state = :state, output = :output, output_ref = :output_ref, error = :error, finished_at = :now,
       worker_id = NULL, sticky_worker = NULL, attempt_started_at = coalesce(attempt_started_at, :started_at, :now),
       started_at = coalesce(started_at, :started_at, :now), used_ms = used_ms + max(0, :now - claimed_at)
WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING'
RETURNING id, env, task, queue, attempt, epoch, awaited, has_waits, idempotency_key, cancel_requested_at,
          EXISTS (SELECT 1 FROM queues q WHERE q.env = +runs.env AND q.name = +runs.queue
                                           AND (q.limit_n IS NOT NULL OR q.limit_per_key IS NOT NULL)) AS limited
