UPDATE waitpoints SET status = CASE kind WHEN 'token' THEN 'TIMED_OUT' ELSE 'COMPLETED' END, completed_at = :now
WHERE seq IN (SELECT seq FROM waitpoints WHERE status = 'WAITING' AND due_at IS NOT NULL AND due_at <= :now ORDER BY due_at LIMIT :n)
RETURNING *
