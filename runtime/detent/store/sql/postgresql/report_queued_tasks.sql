SELECT task, count(*) AS n FROM runs WHERE env = :env AND state = 'QUEUED' GROUP BY task ORDER BY n DESC LIMIT :n
