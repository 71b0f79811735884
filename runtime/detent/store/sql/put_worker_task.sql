INSERT INTO worker_tasks (worker_id, task) VALUES (:worker, :task) ON CONFLICT (worker_id, task) DO NOTHING
