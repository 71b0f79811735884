SELECT id, env FROM runs WHERE id = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:ids AS json))))
