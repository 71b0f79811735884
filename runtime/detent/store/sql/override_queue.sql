INSERT INTO queues (env, name, limit_n, overridden_at, override_until) VALUES (:env, :name, :limit_n, :now, :until)
ON CONFLICT (env, name) DO UPDATE SET limit_n = excluded.limit_n, overridden_at = excluded.overridden_at,
    override_until = excluded.override_until
