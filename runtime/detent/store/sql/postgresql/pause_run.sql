UPDATE runs SET state = 'WAITING', paused = :paused, worker_id = NULL, sticky_worker = NULL, sticky_until = NULL,
       used_ms = used_ms + greatest(0, :now - claimed_at), attempt_started_at = coalesce(attempt_started_at, :now), started_at = coalesce(started_at, :now)
WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING' AND cancel_requested_at IS NULL
RETURNING id, env, task, queue, attempt, epoch, has_waits
