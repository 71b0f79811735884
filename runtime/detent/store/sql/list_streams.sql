SELECT * FROM streams WHERE run_id = :run_id ORDER BY name
