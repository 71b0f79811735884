UPDATE runs SET state = 'WAITING', sticky_worker = worker_id, worker_id = NULL, sticky_until = NULL, has_waits = 1, crashes = 0,
       used_ms = used_ms + :now - claimed_at, attempt_started_at = coalesce(attempt_started_at, :now), started_at = coalesce(started_at, :now)
WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING'
