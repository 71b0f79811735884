SELECT id, env, task, queue, machine, epoch, attempt, crashes, cancel_requested_at FROM runs WHERE worker_id = :worker AND state = 'EXECUTING' AND claimed_at IS NOT NULL
