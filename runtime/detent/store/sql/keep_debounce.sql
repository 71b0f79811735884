INSERT INTO debounces (env, task, key, run_id, first_at, until, asked_by)
VALUES (:env, :task, :key, :run_id, :first_at, :until, :asked_by)
ON CONFLICT (env, task, key) DO UPDATE SET run_id = excluded.run_id, first_at = excluded.first_at, until = excluded.until,
                                           asked_by = excluded.asked_by
