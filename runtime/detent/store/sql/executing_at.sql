SELECT worker_id, epoch FROM runs WHERE id = :id AND state = 'EXECUTING'
