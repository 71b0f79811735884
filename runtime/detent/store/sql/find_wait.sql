SELECT kind, pending, due_at, waitpoint_id FROM waits WHERE run_id = :run_id AND key = :key
