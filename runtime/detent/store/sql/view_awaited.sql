SELECT r.* FROM children c JOIN runs r ON r.id = c.child_id
WHERE c.run_id = :id AND r.env = :env AND c.awaited = 1 AND r.finished_at IS NULL ORDER BY r.seq LIMIT :n
