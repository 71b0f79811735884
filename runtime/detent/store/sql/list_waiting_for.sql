SELECT run_id, key FROM waits WHERE waitpoint_id = :waitpoint_id
