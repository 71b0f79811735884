SELECT id, env, parent_id, total, created_at FROM batches WHERE env = :env AND id < :before ORDER BY id DESC LIMIT :n
