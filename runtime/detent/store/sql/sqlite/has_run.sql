SELECT 1 AS present FROM runs WHERE id = :id
