INSERT INTO current_versions (env, version, deployment_id, at) VALUES (:env, :version, :deployment_id, :now)
ON CONFLICT (env) DO UPDATE SET version = excluded.version, deployment_id = excluded.deployment_id, at = excluded.at
