SELECT seq, run_id, at, kind, state, epoch, attempt, worker_id, data FROM events
WHERE run_id IN (SELECT value FROM json_each(:ids)) ORDER BY run_id, seq
