SELECT id, task, concurrency_key, claimed_at, worker_id FROM runs
WHERE env = :env AND queue = :queue AND state = 'EXECUTING' AND (CAST(:key AS TEXT) IS NULL OR concurrency_key = :key)
ORDER BY claimed_at LIMIT :n
