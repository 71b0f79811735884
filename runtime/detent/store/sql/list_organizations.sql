SELECT o.id, o.slug, o.name, o.created_at, m.role FROM organizations o
LEFT JOIN members m ON m.org_id = o.id AND m.person_id = :person_id
WHERE CAST(:person_id AS TEXT) IS NULL OR m.role IS NOT NULL ORDER BY o.seq
