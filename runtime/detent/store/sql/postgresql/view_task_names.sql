WITH RECURSIVE names (task) AS (
    SELECT min(task) FROM runs WHERE env = :env
    UNION ALL
    SELECT (SELECT min(r.task) FROM runs r WHERE r.env = :env AND r.task > names.task) FROM names WHERE names.task IS NOT NULL
)
SELECT task FROM names WHERE task IS NOT NULL AND strpos(lower(task), :text) > 0 LIMIT 50
