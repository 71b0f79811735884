DELETE FROM worker_tasks WHERE worker_id = :worker
