UPDATE schedules SET next_at = :next_at WHERE id = :id AND active = 1 AND next_at IS NULL
