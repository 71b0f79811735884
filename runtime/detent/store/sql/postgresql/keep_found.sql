INSERT INTO batch_found (batch_id, place, run_id)
SELECT r.batch_id, r.place, r.run_id
FROM json_to_recordset(CAST(:rows AS json)) AS r (batch_id TEXT, place BIGINT, run_id TEXT)
ON CONFLICT DO NOTHING
