UPDATE runs SET resume = 1, sticky_until = NULL
WHERE seq IN (SELECT seq FROM runs WHERE state = 'QUEUED' AND resume = -1 AND sticky_until <= :now ORDER BY sticky_until LIMIT :n)
RETURNING env, task
