SELECT * FROM deployments WHERE env = :env AND version = :version
