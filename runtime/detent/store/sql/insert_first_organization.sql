INSERT INTO organizations (id, slug, name, created_at)
SELECT :id, :slug, :name, :now WHERE NOT EXISTS (SELECT 1 FROM organizations)
