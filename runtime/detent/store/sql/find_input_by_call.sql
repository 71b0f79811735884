SELECT * FROM inputs WHERE run_id = :run_id AND by = :by
