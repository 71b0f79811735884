SELECT run_id, first_at, asked_by FROM debounces WHERE env = :env AND task = :task AND key = :key
