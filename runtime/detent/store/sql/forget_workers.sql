DELETE FROM workers WHERE id IN (SELECT id FROM workers WHERE state = 'dead' AND beat_at < :before LIMIT :n)
