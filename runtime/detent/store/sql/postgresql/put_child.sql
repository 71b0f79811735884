INSERT INTO children (run_id, key, place, child_id, attempt, cached, awaited)
SELECT run_id, key, place, child_id, attempt, cached, awaited
FROM json_to_recordset(CAST(:rows AS json)) AS r (run_id TEXT, key TEXT, place BIGINT, child_id TEXT, attempt BIGINT, cached BIGINT, awaited BIGINT)
ON CONFLICT (run_id, key, place) DO UPDATE SET child_id = excluded.child_id, attempt = excluded.attempt,
                                               cached = excluded.cached, awaited = excluded.awaited
