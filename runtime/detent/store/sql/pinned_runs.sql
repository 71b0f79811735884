SELECT version, state, count(*) AS n FROM runs WHERE env = :env AND version IS NOT NULL AND finished_at IS NULL GROUP BY version, state
