INSERT INTO removed_objects (key, due_at)
SELECT payload_ref, CAST(:now AS BIGINT) FROM runs WHERE id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) AND payload_ref IS NOT NULL
UNION
SELECT output_ref, CAST(:now AS BIGINT) FROM runs WHERE id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) AND output_ref IS NOT NULL
UNION
SELECT value_ref, CAST(:now AS BIGINT) FROM journal WHERE run_id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) AND value_ref IS NOT NULL
ON CONFLICT (key) DO NOTHING
