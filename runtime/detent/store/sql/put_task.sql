INSERT INTO tasks (env, id, spec, worker_id, updated_at) VALUES (:env, :id, :spec, :worker_id, :now)
ON CONFLICT (env, id) DO UPDATE SET spec = excluded.spec, worker_id = excluded.worker_id, updated_at = excluded.updated_at
