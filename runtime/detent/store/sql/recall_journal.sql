SELECT key, kind, target, attempt, seq, done, status, value, value_ref, error FROM journal
WHERE run_id = :run_id AND seq > :after ORDER BY seq, key LIMIT :n
