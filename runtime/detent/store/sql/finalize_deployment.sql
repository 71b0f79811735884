UPDATE deployments SET state = 'DEPLOYING', touched_at = :now, manifest = :manifest, tasks = :tasks, bundle_hash = :bundle_hash,
       bundle_bytes = :bundle_bytes, bundle_files = :bundle_files, lock_hash = :lock_hash, python = :python
WHERE id = :id AND state IN ('PENDING', 'BUILDING')
