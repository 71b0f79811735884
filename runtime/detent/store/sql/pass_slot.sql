UPDATE schedules SET next_at = :next_at, last_at = coalesce(:last_at, last_at), problem = :problem
WHERE id = :id AND next_at = :due AND cron = :cron AND timezone = :timezone AND task = :task
