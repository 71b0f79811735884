DELETE FROM alert_windows WHERE alert_id = :id
