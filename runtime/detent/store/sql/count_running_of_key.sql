SELECT count(*) AS n FROM runs
WHERE env = :env AND queue = :queue AND concurrency_key = :concurrency_key AND state = 'EXECUTING'
