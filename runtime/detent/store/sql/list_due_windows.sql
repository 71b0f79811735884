SELECT * FROM alert_windows WHERE closes_at <= :now ORDER BY closes_at LIMIT :n
