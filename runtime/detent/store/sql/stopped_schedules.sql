SELECT id, cron, timezone FROM schedules WHERE env = :env AND active = 1 AND next_at IS NULL
