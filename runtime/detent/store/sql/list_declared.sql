SELECT * FROM schedules WHERE env = :env AND kind = 'declared'
