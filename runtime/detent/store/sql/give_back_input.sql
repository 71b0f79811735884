UPDATE inputs SET taken_by = NULL WHERE run_id = :run_id AND taken_by = :key
