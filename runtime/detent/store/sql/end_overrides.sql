UPDATE queues SET limit_n = declared_n, overridden_at = NULL, override_until = NULL
WHERE (env, name) IN (SELECT env, name FROM queues WHERE override_until IS NOT NULL AND override_until <= :now
                      ORDER BY override_until LIMIT :n)
RETURNING env
