DELETE FROM alert_windows WHERE alert_id = :alert_id AND event = :event AND key = :key
