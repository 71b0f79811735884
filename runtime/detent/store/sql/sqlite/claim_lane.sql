UPDATE runs SET state = 'EXECUTING', worker_id = :worker, epoch = epoch + 1, claimed_at = :now, version = coalesce(version, :version),
       attempt_started_at = NULL, resume = 0, expires_at = NULL, sticky_until = NULL
WHERE seq IN (
    SELECT seq FROM runs
    WHERE env = :env AND queue = :queue AND concurrency_key = :concurrency_key AND state = 'QUEUED'
      AND task IN (SELECT value FROM json_each(:tasks))
      AND (sticky_worker IS NULL OR sticky_worker = :worker OR sticky_until < :now)
    ORDER BY resume DESC, order_at, seq LIMIT :n)
RETURNING *
