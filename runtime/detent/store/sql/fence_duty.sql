SELECT run_id, task FROM duties WHERE run_id = :id AND epoch = :epoch AND worker_id = :worker
