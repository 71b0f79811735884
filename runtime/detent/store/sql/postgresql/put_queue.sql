INSERT INTO queues (env, name, limit_n, declared_n, limit_per_key) VALUES (:env, :name, :limit_n, :limit_n, :limit_per_key)
ON CONFLICT (env, name) DO UPDATE SET declared_n = excluded.declared_n, limit_per_key = excluded.limit_per_key,
    limit_n = CASE WHEN queues.overridden_at IS NULL THEN excluded.limit_n ELSE queues.limit_n END
WHERE queues.declared_n IS DISTINCT FROM excluded.declared_n OR queues.limit_per_key IS DISTINCT FROM excluded.limit_per_key
