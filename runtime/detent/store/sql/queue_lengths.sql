WITH RECURSIVE names (queue) AS (
    SELECT min(queue) FROM lanes WHERE env = :env
    UNION ALL
    SELECT (SELECT min(l.queue) FROM lanes l WHERE l.env = :env AND l.queue > names.queue) FROM names WHERE names.queue IS NOT NULL
)
SELECT n.queue AS queue,
       (SELECT count(*) FROM (SELECT 1 FROM runs r WHERE r.env = :env AND r.queue = n.queue AND r.state = 'QUEUED' LIMIT :most) AS few) AS queued
FROM names n WHERE n.queue IS NOT NULL
