SELECT id, coalesce(json_extract(spec, '$.max_attempts'), 3) AS n
FROM tasks WHERE env = :env AND id IN (SELECT value FROM json_each(:ids))
