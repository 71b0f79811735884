UPDATE runs SET awaited = 1 WHERE id = :id
