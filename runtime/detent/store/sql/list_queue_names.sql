SELECT name FROM queues WHERE env = :env
