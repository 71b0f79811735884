SELECT id, coalesce(CAST(CAST(replace(spec, '\u0000', '') AS json) ->> 'max_attempts' AS BIGINT), 3) AS n
FROM tasks WHERE env = :env AND id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json))))
