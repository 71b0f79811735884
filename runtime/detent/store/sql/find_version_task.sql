SELECT spec FROM version_tasks WHERE env = :env AND version = :version AND id = :id
