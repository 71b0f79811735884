SELECT id, env, task, queue, concurrency_key, epoch, attempt, root_id, parent_id, batch_id, version, worker_id, crashes, claimed_at,
       has_journal, has_waits, attempt_started_at
FROM runs WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING'
