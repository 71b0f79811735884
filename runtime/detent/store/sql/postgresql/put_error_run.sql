INSERT INTO error_runs (env, fingerprint, event, run_id)
SELECT env, fingerprint, event, run_id
FROM json_to_recordset(CAST(:rows AS json)) AS r (env TEXT, fingerprint TEXT, event BIGINT, run_id TEXT)
ON CONFLICT DO NOTHING
