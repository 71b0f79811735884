SELECT count(*) AS n FROM children c JOIN runs r ON r.id = c.child_id
WHERE c.run_id = :run_id AND c.key = :key
  AND r.state NOT IN ('COMPLETED', 'FAILED', 'CANCELED', 'CRASHED', 'TIMED_OUT', 'EXPIRED', 'SYSTEM_FAILURE')
