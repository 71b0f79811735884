INSERT INTO variables (env, name, sealed, is_secret, created_at, updated_at)
VALUES (:env, :name, :sealed, :is_secret, :now, :now)
ON CONFLICT (env, name) DO UPDATE SET sealed = :sealed, is_secret = :is_secret, updated_at = :now
