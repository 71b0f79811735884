INSERT INTO queues (env, name, limit_n, limit_per_key) VALUES (:env, :name, :limit_n, :limit_per_key)
ON CONFLICT (env, name) DO UPDATE SET limit_n = excluded.limit_n, limit_per_key = excluded.limit_per_key
WHERE limit_n IS NOT excluded.limit_n OR limit_per_key IS NOT excluded.limit_per_key
