INSERT INTO journal (run_id, key, kind, target, attempt, seq, done, status, value, value_ref, error, at)
SELECT :id, key, kind, target, CASE WHEN attempt = :attempt THEN 1 ELSE 0 END, seq, done, status, value, value_ref, error, at FROM journal
WHERE run_id = :source AND status <> 'open' AND (CAST(:before AS BIGINT) IS NULL OR seq < :before)
