SELECT name, sealed, is_secret, created_at, updated_at FROM variables WHERE env = :env AND name = :name
