SELECT id, kind, branch, project_id, created_at, archived_at FROM environments
WHERE project_id = :project_id AND kind = :kind AND branch = :branch
