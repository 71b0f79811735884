INSERT INTO waitpoints (id, env, kind, status, due_at, tags, idempotency_key, idempotency_expires_at, run_id, created_at)
VALUES (:id, :env, :kind, 'WAITING', :due_at, :tags, :idempotency_key, :idempotency_expires_at, :run_id, :now)
RETURNING *
