SELECT state, count(*) AS n FROM runs
WHERE env = :env AND state = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:states AS json)))) AND seq >= :low AND seq < :high GROUP BY state
