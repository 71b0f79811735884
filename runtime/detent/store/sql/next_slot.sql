SELECT min(next_at) AS at FROM schedules WHERE next_at IS NOT NULL
