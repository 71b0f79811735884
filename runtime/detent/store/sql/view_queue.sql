SELECT n.name AS name, q.limit_n AS limit_n, q.declared_n AS declared_n, q.limit_per_key AS limit_per_key,
       coalesce(q.paused, 0) AS paused, q.overridden_at AS overridden_at, q.override_until AS override_until,
       (SELECT count(*) FROM runs r WHERE r.env = :env AND r.queue = n.name AND r.state = 'EXECUTING') AS running,
       (SELECT count(*) FROM runs r WHERE r.env = :env AND r.queue = n.name AND r.state = 'QUEUED') AS queued
FROM (SELECT :name AS name) n LEFT JOIN queues q ON q.env = :env AND q.name = n.name
