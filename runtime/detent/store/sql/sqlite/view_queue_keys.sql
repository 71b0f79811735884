SELECT concurrency_key, running, queued FROM (
    SELECT concurrency_key, sum(running) AS running, sum(queued) AS queued, sum(running) + sum(queued) AS total FROM (
        SELECT concurrency_key, count(*) AS running, 0 AS queued FROM runs
        WHERE env = :env AND queue = :name AND state = 'EXECUTING' GROUP BY concurrency_key
        UNION ALL
        SELECT concurrency_key, 0, count(*) FROM runs
        WHERE env = :env AND queue = :name AND state = 'QUEUED' GROUP BY concurrency_key)
    GROUP BY concurrency_key)
WHERE total < :total OR (total = :total AND concurrency_key > :key)
ORDER BY total DESC, concurrency_key LIMIT :n
