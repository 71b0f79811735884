SELECT id, kind, branch, project_id, created_at, archived_at,
  (SELECT version FROM current_versions WHERE current_versions.env = environments.id) AS version
FROM environments WHERE project_id = :project_id
ORDER BY CASE kind WHEN 'dev' THEN 0 WHEN 'staging' THEN 1 WHEN 'prod' THEN 2 ELSE 3 END, CASE branch WHEN '' THEN 0 ELSE 1 END,
  created_at, id
