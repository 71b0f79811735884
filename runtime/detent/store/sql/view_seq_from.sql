SELECT seq, created_at FROM runs WHERE seq >= :seq ORDER BY seq LIMIT 1
