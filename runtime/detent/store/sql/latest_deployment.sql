SELECT * FROM deployments WHERE env = :env ORDER BY day DESC, number DESC LIMIT 1
