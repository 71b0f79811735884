DELETE FROM workers WHERE state = 'dead' AND beat_at < :before
