INSERT INTO journal (run_id, key, kind, target, attempt, seq, done, status, value, value_ref, error, at)
SELECT :id, key, kind, target, attempt = :attempt, seq, done, status, value, value_ref, error, at FROM journal
WHERE run_id = :source AND status <> 'open' AND (:before IS NULL OR seq < :before)
