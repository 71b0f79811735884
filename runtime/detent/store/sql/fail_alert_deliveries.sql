UPDATE alert_deliveries SET status = 'FAILED', next_at = NULL, ended_at = :now WHERE alert_id = :id AND status = 'PENDING'
