INSERT INTO projects (id, org_id, slug, name, created_at) VALUES (:id, :org_id, :slug, :name, :now)
ON CONFLICT DO NOTHING
