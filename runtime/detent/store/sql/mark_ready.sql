INSERT INTO settings (name, value) VALUES ('ready', :at) ON CONFLICT (name) DO UPDATE SET value = excluded.value
