UPDATE runs SET resume = 1, sticky_until = NULL
WHERE seq = ANY (ARRAY(SELECT seq FROM runs WHERE state = 'QUEUED' AND resume = -1 AND sticky_until <= :now
                       ORDER BY sticky_until LIMIT :n FOR UPDATE SKIP LOCKED))
RETURNING env, task
