SELECT state, CASE WHEN attempt_started_at IS NULL THEN 0 ELSE 1 END AS started, count(*) AS n FROM runs WHERE batch_id = :id GROUP BY 1, 2
