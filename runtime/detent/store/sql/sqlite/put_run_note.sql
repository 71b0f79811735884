INSERT OR REPLACE INTO run_notes (run_id, env) VALUES (:run_id, :env)
