SELECT id FROM runs WHERE state = 'QUEUED' AND expires_at IS NOT NULL AND expires_at <= :now ORDER BY expires_at LIMIT :n
