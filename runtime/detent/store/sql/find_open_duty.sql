SELECT 1 AS present FROM duties WHERE env = :env AND worker_id IS NULL LIMIT 1
