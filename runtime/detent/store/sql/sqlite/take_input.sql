UPDATE inputs SET taken = 1 WHERE run_id = :run_id AND stream = :stream AND seq = :seq
