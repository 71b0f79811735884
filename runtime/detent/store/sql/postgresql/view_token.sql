SELECT w.*, (SELECT CAST(coalesce(json_agg(t.run_id ORDER BY t.run_id), '[]') AS TEXT) FROM (
           SELECT DISTINCT run_id FROM waits WHERE waitpoint_id = w.id ORDER BY run_id LIMIT 100) t) AS waiting_runs
FROM waitpoints w WHERE w.id = :id AND w.env = :env AND w.kind = 'token'
