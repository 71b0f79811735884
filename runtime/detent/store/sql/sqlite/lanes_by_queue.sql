SELECT l.queue AS queue, count(*) AS lanes, max(l.concurrency_key) AS only_key,
       q.limit_n AS limit_n, q.limit_per_key AS limit_per_key, q.paused AS paused
FROM lanes l LEFT JOIN queues q ON q.env = l.env AND q.name = l.queue
WHERE l.env = :env GROUP BY l.queue
