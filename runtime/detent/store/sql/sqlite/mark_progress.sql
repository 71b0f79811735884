UPDATE runs SET crashes = CASE WHEN :advanced THEN 0 ELSE crashes END, has_waits = has_waits OR :waits,
       has_journal = has_journal OR :advanced,
       attempt_started_at = coalesce(attempt_started_at, :now), started_at = coalesce(started_at, :now)
WHERE id = :id AND epoch = :epoch AND worker_id = :worker AND state = 'EXECUTING'
