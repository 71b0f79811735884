INSERT INTO supervisors (id, env, host, beat_at, ready, failed) VALUES (:id, :env, :host, :now, :ready, :failed)
ON CONFLICT (id) DO UPDATE SET host = excluded.host, beat_at = excluded.beat_at, ready = excluded.ready, failed = excluded.failed
WHERE supervisors.env = excluded.env
