SELECT state, count(*) AS n FROM runs
WHERE env = :env AND state IN ('PENDING_VERSION', 'DELAYED', 'QUEUED', 'EXECUTING', 'WAITING') GROUP BY state
