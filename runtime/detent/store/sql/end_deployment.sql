UPDATE deployments SET state = :state, error = :error, note = :note, touched_at = :now, finished_at = :now
WHERE id = :id AND state IN ('PENDING', 'BUILDING', 'DEPLOYING')
