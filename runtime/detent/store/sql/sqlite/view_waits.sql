SELECT key, pending FROM waits WHERE run_id = :run_id ORDER BY key
