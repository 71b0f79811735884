SELECT count(*) AS n FROM (SELECT 1 FROM inputs WHERE run_id = :run_id AND taken = 0 LIMIT :most)
