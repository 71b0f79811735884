INSERT INTO queues (env, name, limit_n, declared_n, limit_per_key) VALUES (:env, :name, :limit_n, :limit_n, :limit_per_key)
ON CONFLICT (env, name) DO UPDATE SET declared_n = excluded.declared_n, limit_per_key = excluded.limit_per_key,
    limit_n = CASE WHEN overridden_at IS NULL THEN excluded.limit_n ELSE limit_n END
WHERE declared_n IS NOT excluded.declared_n OR limit_per_key IS NOT excluded.limit_per_key
