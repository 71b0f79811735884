INSERT INTO environments (id, project_id, kind, branch, created_at)
VALUES (:id, :project_id, :kind, :branch, :now) ON CONFLICT DO NOTHING
