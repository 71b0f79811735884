UPDATE queues SET limit_n = declared_n, overridden_at = NULL, override_until = NULL WHERE env = :env AND name = :name
