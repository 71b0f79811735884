SELECT count(*) AS n FROM runs WHERE env = :env AND queue = :queue AND state = 'EXECUTING'
