SELECT 1 AS present FROM lanes WHERE env = :env LIMIT 1
