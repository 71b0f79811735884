WITH RECURSIVE names (queue) AS (
    SELECT min(queue) FROM lanes WHERE env = :env
    UNION ALL
    SELECT (SELECT min(l.queue) FROM lanes l WHERE l.env = :env AND l.queue > names.queue) FROM names WHERE names.queue IS NOT NULL
)
SELECT n.queue AS queue, q.limit_n AS limit_n, q.limit_per_key AS limit_per_key,
       (SELECT min(concurrency_key) FROM lanes l WHERE l.env = :env AND l.queue = n.queue) AS first_key,
       (SELECT max(concurrency_key) FROM lanes l WHERE l.env = :env AND l.queue = n.queue) AS last_key,
       (SELECT count(*) FROM runs r WHERE q.limit_n IS NOT NULL AND r.env = :env AND r.queue = n.queue AND r.state = 'EXECUTING') AS running,
       (SELECT CASE WHEN r.resume = 0 THEN r.order_at ELSE r.order_at - 4102444800000 END FROM runs r
        WHERE r.env = :env AND r.queue = n.queue AND r.state = 'QUEUED' AND r.concurrency_key = (
            SELECT l.concurrency_key FROM lanes l WHERE l.env = :env AND l.queue = n.queue ORDER BY l.served LIMIT 1)
        ORDER BY r.resume DESC, r.order_at, r.seq LIMIT 1) AS age
FROM names n LEFT JOIN queues q ON q.env = :env AND q.name = n.queue
WHERE n.queue IS NOT NULL AND coalesce(q.paused, 0) = 0
  AND (CAST(:queues AS TEXT) IS NULL OR n.queue IN (SELECT value FROM json_array_elements_text(CAST(:queues AS json))))
  AND EXISTS (SELECT 1 FROM workers w WHERE w.id = :worker AND w.state <> 'dead')
ORDER BY age NULLS FIRST
