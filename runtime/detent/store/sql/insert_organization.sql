INSERT INTO organizations (id, slug, name, created_at) VALUES (:id, :slug, :name, :now) ON CONFLICT DO NOTHING
