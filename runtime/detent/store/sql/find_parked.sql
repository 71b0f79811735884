SELECT 1 AS present FROM runs WHERE id = :id AND epoch = :epoch AND sticky_worker = :worker AND state IN ('WAITING', 'QUEUED')
