SELECT e.id, e.kind, e.branch, e.project_id, p.slug AS project_slug, p.org_id, m.role
FROM environments e JOIN projects p ON p.id = e.project_id
LEFT JOIN members m ON m.org_id = p.org_id AND m.person_id = :person_id
WHERE e.archived_at IS NULL AND (CAST(:person_id AS TEXT) IS NULL OR m.role IS NOT NULL)
ORDER BY p.seq, e.created_at, e.id
