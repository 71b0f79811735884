SELECT id, env, version, state, touched_at FROM deployments WHERE state IN ('PENDING', 'BUILDING', 'DEPLOYING') ORDER BY touched_at
