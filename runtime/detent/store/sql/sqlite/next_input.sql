SELECT * FROM inputs WHERE run_id = :run_id AND stream = :stream AND taken = 0 ORDER BY seq LIMIT 1
