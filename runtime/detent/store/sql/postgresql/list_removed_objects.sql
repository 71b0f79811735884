INSERT INTO removed_objects (key, due_at)
SELECT payload_ref, CAST(:now AS BIGINT) FROM runs WHERE id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) AND coalesce(payload_ref, '') <> ''
UNION
SELECT output_ref, CAST(:now AS BIGINT) FROM runs WHERE id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) AND coalesce(output_ref, '') <> ''
UNION
SELECT value_ref, CAST(:now AS BIGINT) FROM journal WHERE run_id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) AND coalesce(value_ref, '') <> ''
ON CONFLICT (key) DO NOTHING -- by ids
