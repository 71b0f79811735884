SELECT r.seq AS seq, NULL AS place, r.id AS id, r.state AS state, r.attempt_started_at AS attempt_started_at,
       r.started_at AS started_at, r.finished_at AS finished_at
FROM runs r WHERE r.batch_id = :id AND r.env = :env
UNION ALL
SELECT r.seq AS seq, f.place AS place, r.id AS id, r.state AS state, r.attempt_started_at AS attempt_started_at,
       r.started_at AS started_at, r.finished_at AS finished_at
FROM batch_found f JOIN runs r ON r.id = f.run_id WHERE f.batch_id = :id AND r.env = :env
ORDER BY seq
