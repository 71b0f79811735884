INSERT OR IGNORE INTO removed_objects (key, due_at)
SELECT payload_ref, :now FROM runs WHERE id IN (SELECT value FROM json_each(:ids)) AND payload_ref IS NOT NULL
UNION
SELECT output_ref, :now FROM runs WHERE id IN (SELECT value FROM json_each(:ids)) AND output_ref IS NOT NULL
UNION
SELECT value_ref, :now FROM journal WHERE run_id IN (SELECT value FROM json_each(:ids)) AND value_ref IS NOT NULL
