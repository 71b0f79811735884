INSERT OR IGNORE INTO settings (name, value) VALUES (:name, :value)
