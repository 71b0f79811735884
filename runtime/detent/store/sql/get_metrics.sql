SELECT seen, figures FROM metrics WHERE env = :env
