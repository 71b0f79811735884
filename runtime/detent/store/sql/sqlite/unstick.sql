UPDATE runs SET sticky_worker = NULL WHERE sticky_worker = :worker RETURNING id, env, task, state
