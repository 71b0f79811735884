SELECT count(*) AS n FROM runs WHERE env = :env AND state = 'EXECUTING'
