SELECT min(seq) AS seq FROM journal
WHERE run_id = :run_id AND (key = :at OR (status = 'open' AND attempt = :attempt))
