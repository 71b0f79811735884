UPDATE runs SET state = 'QUEUED', queued_at = :now, wake_at = NULL
WHERE seq = ANY (ARRAY(SELECT seq FROM runs WHERE state = 'DELAYED' AND wake_at <= :now ORDER BY wake_at LIMIT :n
                       FOR UPDATE SKIP LOCKED))
RETURNING id, env, task, queue, epoch, attempt, sticky_worker
