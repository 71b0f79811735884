DELETE FROM alert_attempts WHERE delivery_id = :id
