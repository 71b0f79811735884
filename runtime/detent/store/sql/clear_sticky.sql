UPDATE runs SET sticky_worker = NULL WHERE id = :id AND sticky_worker IS NOT NULL
