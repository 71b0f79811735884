SELECT id, task, state, attempt_started_at, created_at, started_at, finished_at
FROM runs WHERE id IN (SELECT value FROM json_each(:ids))
