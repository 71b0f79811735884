SELECT * FROM inputs WHERE run_id = :run_id AND stream = :stream AND taken_by IS NULL ORDER BY seq LIMIT 1
