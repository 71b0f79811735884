SELECT count(*) AS n FROM runs WHERE state = 'EXECUTING' UNION ALL SELECT count(*) FROM runs WHERE state = 'QUEUED'
