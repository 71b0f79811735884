DELETE FROM alert_deliveries WHERE seq IN (
    SELECT seq FROM alert_deliveries WHERE created_at < :before AND status <> 'PENDING' ORDER BY created_at LIMIT :n)
RETURNING id
