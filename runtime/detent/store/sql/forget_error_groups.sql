DELETE FROM error_groups WHERE seq IN (SELECT seq FROM error_groups WHERE last_at < :before ORDER BY last_at LIMIT :n)
RETURNING env, fingerprint
