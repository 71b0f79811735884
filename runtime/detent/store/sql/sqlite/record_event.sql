INSERT INTO events (run_id, at, kind, state, epoch, attempt, worker_id, data)
VALUES (:run_id, :at, :kind, :state, :epoch, :attempt, :worker_id, :data)
