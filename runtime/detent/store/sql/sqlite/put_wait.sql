INSERT INTO waits (run_id, key, pending) VALUES (:run_id, :key, :pending)
ON CONFLICT (run_id, key) DO UPDATE SET pending = excluded.pending
