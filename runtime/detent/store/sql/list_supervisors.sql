SELECT * FROM supervisors WHERE env = :env AND beat_at > :since ORDER BY id
