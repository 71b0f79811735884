SELECT p.id, p.slug, p.name, p.created_at, p.org_id, o.slug AS org_slug FROM projects p
JOIN organizations o ON o.id = p.org_id LEFT JOIN members m ON m.org_id = p.org_id AND m.person_id = :person_id
WHERE CAST(:person_id AS TEXT) IS NULL OR m.role IS NOT NULL ORDER BY p.seq
