SELECT key, run_id FROM idempotency WHERE env = :env AND task = :task AND key = :key
