UPDATE runs SET state = 'QUEUED', resume = 1, queued_at = :now, worker_id = NULL, sticky_worker = NULL
WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING' AND cancel_requested_at IS NULL
RETURNING id, env, task, queue, epoch, attempt, sticky_worker
