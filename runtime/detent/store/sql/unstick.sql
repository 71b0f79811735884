UPDATE runs SET sticky_worker = NULL, sticky_until = NULL, resume = abs(resume) WHERE sticky_worker = :worker RETURNING id, env, task, state
