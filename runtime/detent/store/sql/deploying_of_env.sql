SELECT * FROM deployments WHERE env = :env AND state = 'DEPLOYING' ORDER BY day, number
