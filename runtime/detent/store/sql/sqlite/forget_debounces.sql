DELETE FROM debounces WHERE (env, task, key) IN (
    SELECT env, task, key FROM debounces WHERE until <= :now ORDER BY until LIMIT :n)
