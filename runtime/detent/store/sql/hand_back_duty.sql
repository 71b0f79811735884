UPDATE duties SET worker_id = NULL WHERE run_id = :id AND epoch = :epoch AND worker_id = :worker RETURNING env, task
