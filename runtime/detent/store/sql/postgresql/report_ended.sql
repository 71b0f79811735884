SELECT state, count(*) AS n FROM (
    SELECT state FROM runs WHERE finished_at >= :since AND finished_at < :until AND env = :env ORDER BY finished_at DESC LIMIT :n) AS ended
GROUP BY state
