SELECT u.id, u.email, u.name, m.role FROM members m JOIN people u ON u.id = m.person_id
WHERE m.org_id = :org_id ORDER BY u.email
