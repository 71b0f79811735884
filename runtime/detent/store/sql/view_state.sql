SELECT state, env FROM runs WHERE id = :id
