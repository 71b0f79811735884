SELECT 1 AS present FROM lanes WHERE env = :env AND queue = :queue LIMIT 1
