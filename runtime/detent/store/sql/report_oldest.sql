SELECT * FROM runs WHERE env = :env AND queue = :queue AND state = 'QUEUED' ORDER BY order_at, seq LIMIT 1
