SELECT id, task, state, attempt_started_at, output, output_ref, error FROM runs
WHERE id IN (SELECT value FROM json_each(:ids))
