SELECT key FROM waits WHERE run_id = :run_id AND pending <= 0
