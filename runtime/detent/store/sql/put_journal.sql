INSERT INTO journal (run_id, key, kind, target, attempt, seq, done, status, value, value_ref, error, at)
VALUES (:run_id, :key, :kind, :target, :attempt, :seq, :done, :status, :value, :value_ref, :error, :now)
ON CONFLICT (run_id, key) DO UPDATE SET kind = excluded.kind, target = excluded.target, attempt = excluded.attempt,
                                        seq = excluded.seq, done = excluded.done, status = excluded.status, value = excluded.value,
                                        value_ref = excluded.value_ref, error = excluded.error, at = excluded.at
