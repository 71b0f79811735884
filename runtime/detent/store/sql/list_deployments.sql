SELECT id, env, version, day, number, state, skip_promotion, created_by, detent, git, bundle_hash, bundle_bytes, bundle_files, lock_hash, python,
       tasks, error, note, created_at, touched_at, finished_at, promoted_at
FROM deployments WHERE env = :env AND (day, number) < (:day, :number) ORDER BY day DESC, number DESC LIMIT :n
