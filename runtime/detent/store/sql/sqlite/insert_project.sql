INSERT OR IGNORE INTO projects (id, org_id, slug, name, created_at) VALUES (:id, :org_id, :slug, :name, :now)
