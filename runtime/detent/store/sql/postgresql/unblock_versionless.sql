UPDATE runs SET state = CASE WHEN wake_at > :now THEN 'DELAYED' ELSE 'QUEUED' END,
       wake_at = CASE WHEN wake_at > :now THEN wake_at END, queued_at = CASE WHEN coalesce(wake_at, 0) <= :now THEN :now END,
       queue = CASE WHEN queue = '' THEN :queue ELSE queue END,
       expires_at = CASE WHEN ttl_ms > 0 THEN greatest(:now, coalesce(wake_at, 0)) + ttl_ms END
WHERE env = :env AND task = :task AND state = 'PENDING_VERSION'
RETURNING id, env, task, queue, epoch, attempt, state, wake_at, expires_at
