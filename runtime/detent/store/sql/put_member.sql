INSERT INTO members (org_id, person_id, role) VALUES (:org_id, :person_id, :role)
ON CONFLICT (org_id, person_id) DO UPDATE SET role = excluded.role
