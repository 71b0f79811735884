SELECT w.key AS key, w.kind AS kind, w.pending AS pending, w.waitpoint_id AS waitpoint_id, coalesce(w.due_at, p.due_at) AS until
FROM waits w LEFT JOIN waitpoints p ON p.id = w.waitpoint_id WHERE w.run_id = :run_id ORDER BY w.key
