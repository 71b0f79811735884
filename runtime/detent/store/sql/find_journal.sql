SELECT key, kind, target, attempt, seq, status, value, value_ref, error FROM journal WHERE run_id = :run_id AND key = :key
