INSERT INTO queues (env, name, paused) VALUES (:env, :name, :paused)
ON CONFLICT (env, name) DO UPDATE SET paused = excluded.paused
