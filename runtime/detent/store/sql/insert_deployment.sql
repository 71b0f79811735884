INSERT INTO deployments (id, env, version, day, number, state, skip_promotion, created_by, detent, git, created_at, touched_at)
VALUES (:id, :env, :version, :day, :number, 'PENDING', :skip_promotion, :created_by, :detent, :git, :now, :now)
ON CONFLICT (id) DO NOTHING
