SELECT key FROM journal WHERE run_id = :run_id ORDER BY seq, key
