UPDATE waitpoints SET status = 'COMPLETED', output = :output, output_ref = :output_ref, completed_by = :by, completed_at = :now
WHERE id = :id AND env = :env AND kind = 'token' AND status = 'WAITING' AND (due_at IS NULL OR due_at > :now)
RETURNING *
