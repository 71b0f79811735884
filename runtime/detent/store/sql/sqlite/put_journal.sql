INSERT INTO journal (run_id, key, kind, target, attempt, value, at) VALUES (:run_id, :key, :kind, :target, :attempt, :value, :now)
ON CONFLICT (run_id, key) DO UPDATE SET kind = excluded.kind, target = excluded.target, attempt = excluded.attempt,
                                        value = excluded.value, at = excluded.at
