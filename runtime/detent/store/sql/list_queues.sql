SELECT q.name AS name, q.limit_n AS limit_n, q.limit_per_key AS limit_per_key, q.paused AS paused,
       (SELECT count(*) FROM runs r WHERE r.env = q.env AND r.queue = q.name AND r.state = 'EXECUTING') AS running,
       (SELECT count(*) FROM runs r WHERE r.env = q.env AND r.queue = q.name AND r.state = 'QUEUED') AS queued
FROM queues q WHERE q.env = :env ORDER BY q.name
