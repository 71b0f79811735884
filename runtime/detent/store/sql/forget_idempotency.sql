DELETE FROM idempotency WHERE (env, task, key) IN (
    SELECT env, task, key FROM idempotency WHERE expires_at <= :now ORDER BY expires_at LIMIT :n)
