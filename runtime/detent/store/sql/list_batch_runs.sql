SELECT id, task, state FROM runs WHERE batch_id = :id ORDER BY seq
