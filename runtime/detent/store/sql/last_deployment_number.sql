SELECT coalesce(max(number), 0) AS n FROM deployments WHERE env = :env AND day = :day
