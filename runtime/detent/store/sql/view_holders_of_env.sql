SELECT id, task, queue, claimed_at, worker_id FROM runs WHERE env = :env AND state = 'EXECUTING' ORDER BY claimed_at LIMIT :n
