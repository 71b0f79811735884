INSERT INTO people (id, email, name, created_at) VALUES (:id, :email, :name, :now) ON CONFLICT DO NOTHING
