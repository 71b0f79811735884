UPDATE variables SET sealed = :sealed WHERE env = :env AND name = :name AND sealed = :before
