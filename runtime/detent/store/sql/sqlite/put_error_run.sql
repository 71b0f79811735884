INSERT OR IGNORE INTO error_runs (env, fingerprint, event, run_id) VALUES (:env, :fingerprint, :event, :run_id)
