SELECT state, count(*) AS n FROM runs WHERE parent_id = :id GROUP BY state
