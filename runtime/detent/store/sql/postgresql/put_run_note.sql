INSERT INTO run_notes (run_id, env) VALUES (:run_id, :env)
ON CONFLICT (run_id) DO UPDATE SET note = excluded.note, env = excluded.env
