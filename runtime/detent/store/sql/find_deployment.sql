SELECT * FROM deployments WHERE env = :env AND id = :id
