SELECT run_id, key FROM children WHERE child_id = :child_id AND awaited = 1
