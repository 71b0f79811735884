UPDATE runs SET state = 'QUEUED', queued_at = :now, resume = CASE WHEN sticky_worker IS NULL THEN 1 ELSE -1 END,
       sticky_until = CASE WHEN sticky_worker IS NOT NULL THEN CAST(:sticky_until AS BIGINT) END
WHERE id = :id AND state = 'WAITING' AND paused IS NULL
RETURNING id, env, task, queue, epoch, attempt, sticky_worker, sticky_until
