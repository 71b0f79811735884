INSERT OR IGNORE INTO organizations (id, slug, name, created_at) VALUES (:id, :slug, :name, :now)
