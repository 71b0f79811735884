SELECT id, spec, updated_at FROM tasks WHERE env = :env ORDER BY id
