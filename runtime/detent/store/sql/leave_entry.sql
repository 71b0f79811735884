UPDATE journal SET status = 'left', done = :done WHERE run_id = :run_id AND key = :key
