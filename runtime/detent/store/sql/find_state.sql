SELECT state, sticky_worker FROM runs WHERE id = :id
