SELECT * FROM alert_attempts WHERE delivery_id = :id ORDER BY n
