SELECT c.place AS place, c.child_id AS child_id, c.attempt AS attempt, c.cached AS cached, r.state AS state, r.task AS task
FROM children c LEFT JOIN runs r ON r.id = c.child_id
WHERE c.run_id = :run_id AND c.key = :key ORDER BY c.place
