SELECT state FROM runs WHERE id = :id
