SELECT metadata, tags, parent_id, root_id FROM runs WHERE id = :id
