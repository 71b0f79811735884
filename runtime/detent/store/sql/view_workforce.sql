SELECT (SELECT count(*) FROM (SELECT 1 FROM runs WHERE env = :env AND state IN ('QUEUED', 'PENDING_VERSION') LIMIT :most) AS few) AS waiting,
       CAST(EXISTS (SELECT 1 FROM workers WHERE env = :env AND state <> 'dead') AS INTEGER) AS served
