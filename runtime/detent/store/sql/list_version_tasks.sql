SELECT id FROM version_tasks WHERE env = :env AND version = :version ORDER BY id
