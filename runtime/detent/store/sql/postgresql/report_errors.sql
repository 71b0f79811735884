SELECT id, task, finished_at, error FROM runs
WHERE finished_at >= :since AND env = :env AND error IS NOT NULL AND state <> 'CANCELED' ORDER BY finished_at DESC LIMIT :n
