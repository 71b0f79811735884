INSERT INTO waits (run_id, key, pending, kind, due_at, waitpoint_id) VALUES (:run_id, :key, :pending, :kind, :due_at, :waitpoint_id)
ON CONFLICT (run_id, key) DO UPDATE SET pending = excluded.pending, kind = excluded.kind, due_at = excluded.due_at,
                                        waitpoint_id = excluded.waitpoint_id
