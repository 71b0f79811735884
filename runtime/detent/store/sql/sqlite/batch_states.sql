SELECT state, attempt_started_at IS NOT NULL AS started, count(*) AS n FROM runs WHERE batch_id = :id GROUP BY 1, 2
