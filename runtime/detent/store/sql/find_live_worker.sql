SELECT 1 AS present FROM workers WHERE id = :id AND state <> 'dead'
