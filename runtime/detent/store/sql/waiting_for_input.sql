SELECT w.key AS key FROM waits w JOIN journal j ON j.run_id = w.run_id AND j.key = w.key
WHERE w.run_id = :run_id AND w.kind = 'input' AND w.pending > 0 AND j.target = :stream AND j.status = 'open'
ORDER BY j.seq LIMIT 1
