SELECT * FROM alert_deliveries WHERE id = :id
