UPDATE runs SET state = 'QUEUED', resume = 1, queued_at = :now, worker_id = NULL, sticky_worker = NULL, crashes = crashes + :counted
WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING'
RETURNING id, env, task, queue, epoch, attempt, sticky_worker
