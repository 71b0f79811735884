INSERT INTO events (run_id, at, kind, state, epoch, attempt, worker_id, data)
SELECT run_id, at, kind, state, epoch, attempt, worker_id, data
FROM json_to_recordset(CAST(:rows AS json)) AS r (
    run_id TEXT, at BIGINT, kind TEXT, state TEXT, epoch BIGINT, attempt BIGINT, worker_id TEXT, data TEXT)
