INSERT INTO idempotency (env, task, key, run_id, expires_at, payload_digest)
VALUES (:env, :task, :key, :run_id, :expires_at, :payload_digest)
ON CONFLICT (env, task, key) DO UPDATE SET run_id = excluded.run_id, expires_at = excluded.expires_at,
                                           payload_digest = excluded.payload_digest
