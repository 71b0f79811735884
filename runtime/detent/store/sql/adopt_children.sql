UPDATE children SET attempt = :attempt WHERE run_id = :run_id AND key = :key
