UPDATE waits SET pending = pending - 1 WHERE run_id = :run_id AND key = :key RETURNING pending
