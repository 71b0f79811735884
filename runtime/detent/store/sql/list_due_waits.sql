SELECT run_id, key, kind FROM waits WHERE due_at IS NOT NULL AND due_at <= :now ORDER BY due_at LIMIT :n
