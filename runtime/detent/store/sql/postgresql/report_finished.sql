SELECT task, state, used_ms, attempt, queued_at, created_at, started_at
FROM runs WHERE finished_at >= :since AND finished_at < :until AND env = :env ORDER BY finished_at DESC LIMIT :n
