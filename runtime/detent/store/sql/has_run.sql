SELECT id, env FROM runs WHERE id = :id
