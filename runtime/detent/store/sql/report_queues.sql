SELECT n.name AS name, q.limit_n AS limit_n, coalesce(q.paused, 0) AS paused, coalesce(w.n, 0) AS queued, w.oldest AS oldest,
       (SELECT count(*) FROM runs r WHERE r.env = :env AND r.queue = n.name AND r.state = 'EXECUTING') AS running
FROM (SELECT name FROM queues WHERE env = :env UNION SELECT queue FROM lanes WHERE env = :env) n
LEFT JOIN queues q ON q.env = :env AND q.name = n.name
LEFT JOIN (SELECT queue, count(*) AS n, min(order_at) AS oldest FROM runs WHERE env = :env AND state = 'QUEUED' GROUP BY queue) w
       ON w.queue = n.name
ORDER BY n.name
