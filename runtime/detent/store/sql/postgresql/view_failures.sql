SELECT id, task, finished_at, created_at, error FROM (
    SELECT id, task, finished_at, created_at, error FROM runs
    WHERE env = :env AND error IS NOT NULL AND state <> 'CANCELED' ORDER BY seq DESC NULLS LAST LIMIT :n) AS failed
WHERE CAST(replace(error, '\u0000', '') AS json) ->> 'type' = :type
