UPDATE removed_objects SET due_at = :due_at, tries = tries + 1 WHERE key = ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:keys AS json))))
