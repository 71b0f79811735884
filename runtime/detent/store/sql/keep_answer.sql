UPDATE answers SET sealed = :sealed WHERE env = :env AND key = :key
