DELETE FROM run_notes WHERE run_id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json))))
