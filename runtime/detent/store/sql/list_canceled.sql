SELECT id, epoch, worker_id, cancel_reason FROM runs WHERE state = 'EXECUTING' AND cancel_requested_at IS NOT NULL LIMIT 1000
