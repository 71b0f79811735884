SELECT id, task, state, attempt_started_at, created_at, started_at, finished_at
FROM runs WHERE replay_of = :id ORDER BY seq DESC NULLS LAST LIMIT :n
