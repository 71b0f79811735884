SELECT j.seq AS seq, j.key AS key, j.kind AS kind, j.target AS target, j.status AS status, j.attempt AS attempt, j.at AS at,
       substr(j.value, 1, CAST(:chars + 1 AS INTEGER)) AS value, j.value_ref AS value_ref, j.error AS error,
       (SELECT count(*) FROM children c WHERE c.run_id = j.run_id AND c.key = j.key) AS children,
       (SELECT CAST(coalesce(json_agg(f.child_id ORDER BY f.place), '[]') AS TEXT) FROM (
           SELECT c.child_id, c.place FROM children c WHERE c.run_id = j.run_id AND c.key = j.key ORDER BY c.place LIMIT :shown) f) AS first_children
FROM journal j WHERE j.run_id = :run_id AND j.seq > :after ORDER BY j.seq, j.key LIMIT :n
