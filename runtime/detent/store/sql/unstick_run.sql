UPDATE runs SET sticky_worker = NULL, sticky_until = NULL, resume = abs(resume)
WHERE id = :id AND epoch = :epoch AND sticky_worker = :worker AND state IN ('WAITING', 'QUEUED') RETURNING id, env, task, state
