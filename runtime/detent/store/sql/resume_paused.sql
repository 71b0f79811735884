UPDATE runs SET state = 'QUEUED', paused = NULL, queued_at = :now, resume = 1
WHERE id = :id AND state = 'WAITING' AND paused IS NOT NULL
RETURNING id, env, task, queue, epoch, attempt
