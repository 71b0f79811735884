SELECT min(at) AS at FROM (
    SELECT min(wake_at) AS at FROM runs WHERE state = 'DELAYED'
    UNION ALL SELECT min(expires_at) FROM runs WHERE state = 'QUEUED' AND expires_at IS NOT NULL
    UNION ALL SELECT min(due_at) FROM waits WHERE due_at IS NOT NULL
    UNION ALL SELECT min(sticky_until) FROM runs WHERE state = 'QUEUED' AND resume = -1
    UNION ALL SELECT min(cancel_requested_at) + :grace FROM runs WHERE state = 'EXECUTING' AND cancel_requested_at IS NOT NULL
    UNION ALL SELECT min(due_at) FROM waitpoints WHERE status = 'WAITING' AND due_at IS NOT NULL
    UNION ALL SELECT min(override_until) FROM queues WHERE override_until IS NOT NULL) AS moments
