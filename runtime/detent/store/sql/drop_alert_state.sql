DELETE FROM alert_states WHERE alert_id = :alert_id AND event = :event AND key = :key
