SELECT run_id, key FROM waits WHERE waitpoint_id = :id
