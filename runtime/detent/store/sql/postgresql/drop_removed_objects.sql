DELETE FROM removed_objects WHERE key = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:keys AS json))))
