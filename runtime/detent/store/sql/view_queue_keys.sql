SELECT concurrency_key, running, queued FROM (
    SELECT concurrency_key, CAST(sum(running) AS BIGINT) AS running,
           CAST(sum(queued) AS BIGINT) AS queued, CAST(sum(running) + sum(queued) AS BIGINT) AS total FROM (
        SELECT concurrency_key, count(*) AS running, 0 AS queued FROM runs
        WHERE env = :env AND queue = :name AND state = 'EXECUTING' GROUP BY concurrency_key
        UNION ALL
        SELECT concurrency_key, 0, count(*) FROM runs
        WHERE env = :env AND queue = :name AND state = 'QUEUED' GROUP BY concurrency_key) AS counts
    GROUP BY concurrency_key) AS keys
WHERE total < :total OR (total = :total AND concurrency_key > :key)
ORDER BY total DESC, concurrency_key LIMIT :n
