UPDATE schedules SET next_at = NULL WHERE env = :env AND next_at IS NOT NULL
