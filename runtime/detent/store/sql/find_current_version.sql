SELECT version, deployment_id, at FROM current_versions WHERE env = :env
