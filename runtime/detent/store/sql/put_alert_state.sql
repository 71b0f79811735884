INSERT INTO alert_states (alert_id, event, key, since, gone_at, told) VALUES (:alert_id, :event, :key, :since, :gone_at, :told)
ON CONFLICT (alert_id, event, key) DO UPDATE SET since = excluded.since, gone_at = excluded.gone_at, told = excluded.told
