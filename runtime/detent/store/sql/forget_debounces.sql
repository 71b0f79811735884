DELETE FROM debounces WHERE (env, task, key) IN (
    SELECT d.env, d.task, d.key FROM debounces d
    WHERE d.until <= :before AND NOT EXISTS (
        SELECT 1 FROM runs r WHERE r.id = d.run_id AND r.state IN ('DELAYED', 'PENDING_VERSION') AND r.attempt = 1)
    ORDER BY d.until LIMIT :n)
