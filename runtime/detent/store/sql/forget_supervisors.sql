DELETE FROM supervisors WHERE beat_at < :before
