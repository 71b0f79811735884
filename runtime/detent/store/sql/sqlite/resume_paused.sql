UPDATE runs SET state = 'QUEUED', paused = NULL, queued_at = :now, resume = 1, sticky_worker = NULL, sticky_until = NULL
WHERE id = :id AND state = 'WAITING' AND paused IS NOT NULL
RETURNING id, env, task, queue, epoch, attempt, sticky_worker
