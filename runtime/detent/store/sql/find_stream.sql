SELECT * FROM streams WHERE run_id = :run_id AND name = :name
