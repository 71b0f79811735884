SELECT id, task, state, attempt_started_at, created_at, started_at, finished_at
FROM runs WHERE id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json))))
