INSERT INTO version_tasks (env, version, id, spec) VALUES (:env, :version, :id, :spec) ON CONFLICT (env, version, id) DO NOTHING
