UPDATE runs SET attempt_started_at = coalesce(attempt_started_at, :at), started_at = coalesce(started_at, :at)
WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING'
