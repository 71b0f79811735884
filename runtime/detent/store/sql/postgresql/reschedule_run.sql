UPDATE runs SET wake_at = :at, order_at = :at - CAST(trunc(priority * 1000) AS BIGINT),
       expires_at = CASE WHEN expires_at IS NOT NULL THEN :at + ttl_ms END
WHERE id = :id AND state = 'DELAYED'
RETURNING id, env, task, queue, epoch, attempt, state
