INSERT INTO api_keys (id, hash, start, name, env, person_id, scopes, created_at, expires_at)
VALUES (:id, :hash, :start, :name, :env, :person_id, :scopes, :now, :expires_at)
