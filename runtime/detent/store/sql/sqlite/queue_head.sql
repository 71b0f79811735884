SELECT resume, order_at FROM runs
WHERE env = :env AND queue = :queue AND concurrency_key = :concurrency_key AND state = 'QUEUED'
ORDER BY resume DESC, order_at, seq LIMIT 1
