SELECT id, task, finished_at, created_at, error FROM (
    SELECT id, task, finished_at, created_at, error FROM runs
    WHERE env = :env AND error IS NOT NULL AND state <> 'CANCELED' ORDER BY seq DESC LIMIT :n)
WHERE json_extract(error, '$.type') = :type
