UPDATE waits SET pending = 0, due_at = NULL, waitpoint_id = NULL WHERE run_id = :run_id AND key = :key
