DELETE FROM idempotency WHERE env = :env AND task = :task AND key = :key AND run_id = :run_id
