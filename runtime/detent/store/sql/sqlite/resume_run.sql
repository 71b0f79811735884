UPDATE runs SET state = 'QUEUED', resume = 1, queued_at = :now, sticky_until = :sticky_until
WHERE id = :id AND state = 'WAITING'
RETURNING id, env, task, queue, epoch, attempt, sticky_worker
