SELECT r.version AS version, count(*) AS n FROM duties d JOIN runs r ON r.id = d.run_id
WHERE d.env = :env AND r.version IS NOT NULL GROUP BY r.version
