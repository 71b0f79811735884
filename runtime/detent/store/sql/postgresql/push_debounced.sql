UPDATE runs SET wake_at = :wake_at, order_at = :wake_at - CAST(trunc(priority * 1000) AS BIGINT),
       expires_at = CASE WHEN expires_at IS NOT NULL THEN :wake_at + ttl_ms END
WHERE id = :id AND state IN ('DELAYED', 'PENDING_VERSION') AND attempt = 1
RETURNING id, env, task, queue, epoch, attempt, state
