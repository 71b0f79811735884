SELECT id, task, state, attempt, attempt_started_at, created_at, started_at, finished_at, error, batch_id
FROM runs WHERE parent_id = :id ORDER BY seq
