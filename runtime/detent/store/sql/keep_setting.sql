INSERT INTO settings (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING
