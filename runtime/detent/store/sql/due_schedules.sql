SELECT * FROM schedules WHERE next_at IS NOT NULL AND next_at <= :now ORDER BY next_at LIMIT :n
