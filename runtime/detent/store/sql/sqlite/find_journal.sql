SELECT kind, target, attempt, value FROM journal WHERE run_id = :run_id AND key = :key
