INSERT INTO alert_windows (alert_id, event, key, env, count, data, opened_at, closes_at)
VALUES (:alert_id, :event, :key, :env, :count, :data, :opened_at, :closes_at)
ON CONFLICT (alert_id, event, key) DO UPDATE SET
    count = excluded.count, data = excluded.data, opened_at = excluded.opened_at, closes_at = excluded.closes_at
