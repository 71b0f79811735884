SELECT 1 WHERE EXISTS (SELECT 1 FROM queues WHERE env = :env AND name = :name)
            OR EXISTS (SELECT 1 FROM lanes WHERE env = :env AND queue = :name)
            OR EXISTS (SELECT 1 FROM tasks WHERE env = :env AND CAST(spec AS json) ->> 'queue' = :name)
