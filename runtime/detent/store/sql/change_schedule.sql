UPDATE schedules SET task = :task, external_id = :external_id, cron = :cron, timezone = :timezone, active = :active,
                     next_at = :next_at, problem = NULL, updated_at = :now
WHERE id = :id
