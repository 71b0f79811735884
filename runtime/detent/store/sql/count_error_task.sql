INSERT INTO error_tasks (env, fingerprint, task, count, last_at) VALUES (:env, :fingerprint, :task, :count, :last_at)
ON CONFLICT (env, fingerprint, task) DO UPDATE SET count = error_tasks.count + excluded.count, last_at = excluded.last_at
