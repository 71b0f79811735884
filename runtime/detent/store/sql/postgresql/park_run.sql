UPDATE runs SET state = 'WAITING', worker_id = NULL, sticky_until = NULL, has_waits = 1, has_journal = 1, crashes = 0,
       sticky_worker = (SELECT w.id FROM workers w WHERE w.id = runs.worker_id AND w.state = 'alive'),
       used_ms = used_ms + greatest(0, :now - claimed_at), attempt_started_at = coalesce(attempt_started_at, :now), started_at = coalesce(started_at, :now)
WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING' AND cancel_requested_at IS NULL
