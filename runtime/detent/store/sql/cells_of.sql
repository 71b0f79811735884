SELECT id FROM workers WHERE parent = :parent
