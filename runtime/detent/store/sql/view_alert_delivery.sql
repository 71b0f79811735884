SELECT * FROM alert_deliveries WHERE id = :id AND env = :env
