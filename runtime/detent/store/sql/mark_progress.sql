UPDATE runs SET crashes = CASE WHEN :advanced > 0 THEN 0 ELSE crashes END, has_waits = CASE WHEN :waits > 0 THEN 1 ELSE has_waits END,
       has_journal = CASE WHEN :advanced > 0 THEN 1 ELSE has_journal END,
       attempt_started_at = coalesce(attempt_started_at, :now), started_at = coalesce(started_at, :now)
WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING'
