DELETE FROM waits WHERE run_id = :run_id AND key = :key
