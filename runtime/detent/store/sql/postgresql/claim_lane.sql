UPDATE runs SET state = 'EXECUTING', worker_id = :worker, epoch = epoch + 1, claimed_at = :now, version = coalesce(version, CAST(:version AS TEXT)),
       attempt_started_at = NULL, resume = 0, expires_at = NULL, sticky_until = NULL
WHERE seq = ANY (ARRAY(
    SELECT seq FROM (
        SELECT * FROM (
            SELECT seq, resume, order_at FROM runs
            WHERE env = :env AND queue = :queue AND concurrency_key = :concurrency_key AND state = 'QUEUED' AND resume >= 0
              AND task = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:tasks AS json))))
              AND (CAST(:machines AS TEXT) IS NULL
                   OR CASE WHEN machine IS NULL
                           THEN task = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:unnamed AS json))))
                           ELSE machine = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:machines AS json)))) END)
              AND (version = CAST(:version AS TEXT)
                   OR (version IS NULL
                       AND coalesce((SELECT c.version FROM current_versions c WHERE c.env = :env), CAST(:version AS TEXT))
                           IS NOT DISTINCT FROM CAST(:version AS TEXT)))
            ORDER BY resume DESC, order_at, seq LIMIT :n FOR UPDATE SKIP LOCKED) AS free
        UNION ALL
        SELECT * FROM (
            SELECT seq, 1 AS resume, order_at FROM runs
            WHERE sticky_worker = :worker AND env = :env AND queue = :queue AND concurrency_key = :concurrency_key
              AND coalesce(state, '') = 'QUEUED' AND resume = -1 -- by the index of what is reserved
              AND task = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:tasks AS json))))
            ORDER BY order_at LIMIT :n FOR UPDATE SKIP LOCKED) AS own) AS either
    ORDER BY resume DESC, order_at, seq LIMIT :n))
RETURNING id, seq, env, task, queue, concurrency_key, order_at, epoch, attempt, version, created_at, started_at, used_ms, crashes,
          payload, payload_ref, metadata, tags, priority, max_attempts, max_duration_ms, machine, idempotency_key, parent_id, root_id,
          batch_id, replay_of, sticky_worker, has_waits, has_journal
