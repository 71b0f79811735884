SELECT id FROM deployments WHERE env = :env AND state IN ('PENDING', 'BUILDING', 'DEPLOYING')
