SELECT seq, run_id, at, kind, state, epoch, attempt, worker_id, data FROM events
WHERE run_id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) ORDER BY run_id, seq
