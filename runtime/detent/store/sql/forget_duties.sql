DELETE FROM duties WHERE run_id IN (
    SELECT run_id FROM duties WHERE worker_id IS NULL AND created_at < :before ORDER BY created_at LIMIT :n)
RETURNING run_id
