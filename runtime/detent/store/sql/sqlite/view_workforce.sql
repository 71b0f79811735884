SELECT (SELECT count(*) FROM (SELECT 1 FROM runs WHERE env = :env AND state IN ('QUEUED', 'PENDING_VERSION') LIMIT :most)) AS waiting,
       EXISTS (SELECT 1 FROM workers WHERE env = :env AND state <> 'dead') AS served
