INSERT INTO children (run_id, key, place, child_id, attempt, cached, awaited)
VALUES (:run_id, :key, :place, :child_id, :attempt, :cached, :awaited)
ON CONFLICT (run_id, key, place) DO UPDATE SET child_id = excluded.child_id, attempt = excluded.attempt,
                                               cached = excluded.cached, awaited = excluded.awaited
