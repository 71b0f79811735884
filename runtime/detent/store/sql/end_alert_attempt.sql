UPDATE alert_deliveries SET status = :status, tries = tries + 1, attempts = attempts + 1, next_at = :next_at, ended_at = :ended_at
WHERE id = :id AND status = 'PENDING' AND attempts = :attempts RETURNING attempts
