SELECT i.run_id AS run_id, i.payload_digest AS payload_digest FROM idempotency i JOIN runs r ON r.id = i.run_id
WHERE i.env = :env AND i.task = :task AND i.key = :key AND i.expires_at > :now
  AND r.state NOT IN ('FAILED', 'CRASHED', 'TIMED_OUT', 'EXPIRED', 'SYSTEM_FAILURE')
