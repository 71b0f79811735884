DELETE FROM tasks WHERE env = :env AND id NOT IN (SELECT value FROM json_array_elements_text(CAST(:ids AS json)))
