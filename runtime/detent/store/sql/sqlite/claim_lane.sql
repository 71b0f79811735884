UPDATE runs SET state = 'EXECUTING', worker_id = :worker, epoch = epoch + 1, claimed_at = :now, version = coalesce(version, :version),
       attempt_started_at = NULL, resume = 0, expires_at = NULL, sticky_until = NULL
WHERE seq IN (
    SELECT seq FROM (
        SELECT * FROM (
            SELECT seq, resume, order_at FROM runs
            WHERE env = :env AND queue = :queue AND concurrency_key = :concurrency_key AND state = 'QUEUED' AND resume >= 0
              AND task IN (SELECT value FROM json_each(:tasks))
              AND (:machines IS NULL OR CASE WHEN machine IS NULL THEN task IN (SELECT value FROM json_each(:unnamed))
                                             ELSE machine IN (SELECT value FROM json_each(:machines)) END)
              AND (version = :version
                   OR (version IS NULL
                       AND coalesce((SELECT c.version FROM current_versions c WHERE c.env = :env), :version)
                           IS :version))
            ORDER BY resume DESC, order_at, seq LIMIT :n)
        UNION ALL
        SELECT * FROM (
            SELECT seq, 1 AS resume, order_at FROM runs
            WHERE sticky_worker = :worker AND env = :env AND queue = :queue AND concurrency_key = :concurrency_key
              AND state = 'QUEUED' AND resume = -1 AND task IN (SELECT value FROM json_each(:tasks))
            ORDER BY order_at LIMIT :n))
    ORDER BY resume DESC, order_at, seq LIMIT :n)
RETURNING id, seq, env, task, queue, concurrency_key, order_at, epoch, attempt, version, created_at, started_at, used_ms, crashes,
          payload, payload_ref, metadata, tags, priority, max_attempts, max_duration_ms, machine, idempotency_key, parent_id, root_id,
          batch_id, replay_of, sticky_worker, has_waits, has_journal
