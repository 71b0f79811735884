INSERT OR IGNORE INTO batch_found (batch_id, place, run_id) VALUES (:batch_id, :place, :run_id)
