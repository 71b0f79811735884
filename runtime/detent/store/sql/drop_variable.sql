DELETE FROM variables WHERE env = :env AND name = :name
