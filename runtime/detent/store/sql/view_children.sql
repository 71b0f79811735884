SELECT id, task, state, attempt_started_at, created_at, started_at, finished_at, batch_id
FROM runs WHERE parent_id = :id AND seq > :after ORDER BY seq NULLS FIRST LIMIT :n
