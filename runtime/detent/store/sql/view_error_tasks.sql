SELECT task, count, last_at FROM error_tasks WHERE env = :env AND fingerprint = :fingerprint
ORDER BY count DESC, task LIMIT :n
