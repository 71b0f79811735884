UPDATE children SET awaited = 1 WHERE run_id = :run_id AND key = :key
