SELECT e.id, e.kind, e.branch, e.archived_at, e.created_at, e.project_id, p.slug AS project_slug, p.org_id
FROM environments e JOIN projects p ON p.id = e.project_id WHERE e.id = :id
