INSERT INTO schedules (id, env, task, kind, deduplication_key, external_id, cron, timezone, active, next_at, created_at, updated_at)
VALUES (:id, :env, :task, :kind, :deduplication_key, :external_id, :cron, :timezone, :active, :next_at, :now, :now)
