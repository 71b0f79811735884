UPDATE environments SET archived_at = :now WHERE id = :id AND archived_at IS NULL
