SELECT seq, run_id, at, kind, state, epoch, attempt, worker_id, data FROM events WHERE run_id = :run_id ORDER BY seq
