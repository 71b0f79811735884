UPDATE alert_deliveries SET status = 'PENDING', tries = 0, next_at = :now, ended_at = NULL
WHERE id = :id AND env = :env AND status <> 'PENDING'
