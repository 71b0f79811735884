SELECT state, count(*) AS n FROM runs WHERE env = :env GROUP BY state
