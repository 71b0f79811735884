SELECT id, kind, branch, project_id, created_at, archived_at FROM environments WHERE project_id = :project_id
ORDER BY created_at, id
