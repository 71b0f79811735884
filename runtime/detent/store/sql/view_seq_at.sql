WITH RECURSIVE halves (low, high) AS (
    SELECT CAST(1 AS BIGINT), CAST(:last AS BIGINT) + 1
    UNION ALL
    SELECT CASE WHEN (SELECT created_at FROM runs WHERE seq >= (low + high) / 2 ORDER BY seq LIMIT 1) < :moment
                THEN (low + high) / 2 + 1 ELSE low END,
           CASE WHEN (SELECT created_at FROM runs WHERE seq >= (low + high) / 2 ORDER BY seq LIMIT 1) < :moment
                THEN high ELSE (low + high) / 2 END
    FROM halves WHERE low < high
)
SELECT low AS seq FROM halves WHERE low >= high
