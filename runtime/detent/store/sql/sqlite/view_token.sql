SELECT w.*, (SELECT json_group_array(run_id) FROM (SELECT DISTINCT run_id FROM waits WHERE waitpoint_id = w.id ORDER BY run_id LIMIT 100)) AS waiting_runs
FROM waitpoints w WHERE w.id = :id AND w.env = :env AND w.kind = 'token'
