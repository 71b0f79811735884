INSERT INTO metrics (env, seen, figures) VALUES (:env, :seen, :figures)
ON CONFLICT (env) DO UPDATE SET seen = excluded.seen, figures = excluded.figures WHERE metrics.seen = :before
