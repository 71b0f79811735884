SELECT name, limit_n, limit_per_key, paused FROM queues WHERE env = :env AND name = :name
