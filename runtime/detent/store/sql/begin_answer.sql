INSERT INTO answers (env, key, request, at) VALUES (:env, :key, :request, :now)
ON CONFLICT (env, key) DO UPDATE SET request = :request, at = :now, sealed = NULL
