INSERT INTO children (run_id, key, place, child_id, attempt, cached, awaited)
SELECT :id, c.key, c.place, c.child_id, CASE WHEN c.attempt = :attempt THEN 1 ELSE 0 END, c.cached,
       CASE WHEN r.state IN ('COMPLETED', 'FAILED', 'CANCELED', 'CRASHED', 'TIMED_OUT', 'EXPIRED', 'SYSTEM_FAILURE') THEN 0
            ELSE c.awaited END
FROM journal j JOIN children c ON c.run_id = :source AND c.key = j.key JOIN runs r ON r.id = c.child_id
WHERE j.run_id = :id
