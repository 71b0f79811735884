SELECT version, count(*) AS n FROM workers
WHERE env = :env AND state = 'alive' AND parent IS NULL AND version IS NOT NULL AND beat_at > :since GROUP BY version
