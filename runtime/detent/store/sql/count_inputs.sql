SELECT count(*) AS n FROM (SELECT 1 FROM inputs WHERE run_id = :run_id AND taken_by IS NULL LIMIT :most) AS untaken
