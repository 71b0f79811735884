SELECT * FROM waitpoints WHERE env = :env AND idempotency_key = :key
