UPDATE journal SET done = :done WHERE run_id = :run_id AND key = :key
