SELECT w.id AS id, w.version AS version, w.queues AS queues, w.machines AS machines, w.beat_at AS beat_at
FROM workers w JOIN worker_tasks t ON t.worker_id = w.id AND t.task = :task
WHERE w.env = :env AND w.state = 'alive' AND w.parent IS NULL
