UPDATE inputs SET taken_by = :key WHERE run_id = :run_id AND stream = :stream AND seq = :seq
