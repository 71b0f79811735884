SELECT id FROM runs WHERE batch_id = :id ORDER BY seq
