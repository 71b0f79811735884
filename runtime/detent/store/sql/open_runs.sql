SELECT id FROM runs
WHERE env = :env AND state IN ('PENDING_VERSION', 'DELAYED', 'QUEUED', 'EXECUTING', 'WAITING')
  AND cancel_requested_at IS NULL
LIMIT :n
