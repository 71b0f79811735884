SELECT id, task, state, attempt_started_at, output, output_ref, error FROM runs
WHERE id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json))))
