SELECT state, count(*) AS n FROM runs
WHERE env = :env AND state IN (SELECT value FROM json_each(:states)) AND seq >= :low AND seq < :high GROUP BY state
