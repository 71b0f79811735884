SELECT run_id, epoch FROM duties WHERE worker_id = :worker
