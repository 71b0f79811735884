SELECT id FROM runs WHERE state = 'EXECUTING' AND cancel_requested_at IS NOT NULL AND cancel_requested_at <= :before LIMIT :n
