DELETE FROM answers WHERE (env, key) IN (
    SELECT env, key FROM answers WHERE at < :before ORDER BY at LIMIT :n)
