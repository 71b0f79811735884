UPDATE runs SET state = 'DELAYED', attempt = attempt + 1, wake_at = :wake_at, error = :error, worker_id = NULL, sticky_worker = NULL,
       crashes = 0, used_ms = 0, started_at = coalesce(started_at, :started_at, :now), attempt_started_at = NULL
WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING' AND cancel_requested_at IS NULL
RETURNING id, env, task, queue, attempt, epoch, awaited, has_waits, idempotency_key, cancel_requested_at
