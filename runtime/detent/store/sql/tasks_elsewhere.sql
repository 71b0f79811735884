SELECT DISTINCT t.task AS task FROM workers w JOIN worker_tasks t ON t.worker_id = w.id
WHERE w.env = :env AND w.state = 'alive' AND w.parent IS NULL AND w.id <> :worker
