SELECT value_ref FROM journal
WHERE run_id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json)))) AND value_ref IS NOT NULL
