UPDATE runs SET state = 'QUEUED', queued_at = :now, queue = CASE WHEN queue = '' THEN :queue ELSE queue END,
       expires_at = CASE WHEN ttl_ms > 0 THEN :now + ttl_ms END
WHERE env = :env AND task = :task AND state = 'PENDING_VERSION'
RETURNING id, env, task, queue, epoch, attempt, sticky_worker
