INSERT OR IGNORE INTO digest (id, seq) VALUES (1, 0)
