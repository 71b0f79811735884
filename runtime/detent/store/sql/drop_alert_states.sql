DELETE FROM alert_states WHERE alert_id = :id
