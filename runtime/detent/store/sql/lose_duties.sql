UPDATE duties SET worker_id = NULL, tries = tries + 1 WHERE worker_id = :worker RETURNING run_id, env, task, tries
